# LibTorch as one imported target, linked by hand. find_package(Torch) would probe MKL, protobuf and,
# with a CUDA wheel, a CUDA toolkit that a CPU machine does not have; the libraries themselves need none of it.
#
#   assay::torch   headers (SYSTEM), libraries, rpath and the per-operator switch
#
# ASSAY_TORCH_DIR is the folder that holds include/ and lib/ (the wheel's "torch" folder).
if(NOT ASSAY_TORCH_DIR)
  set(ASSAY_TORCH_DIR "$ENV{ASSAY_TORCH_DIR}")
endif()
if(NOT EXISTS "${ASSAY_TORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR
    "Configuring Assay: LibTorch is needed, and ASSAY_TORCH_DIR='${ASSAY_TORCH_DIR}' holds no lib/libtorch_cpu.so. "
    "Run ./dev build, which fetches it, or pass -DASSAY_TORCH_DIR=FOLDER (the 'torch' folder of a 2.13 wheel).")
endif()

add_library(assay_torch INTERFACE)
add_library(assay::torch ALIAS assay_torch)
target_include_directories(assay_torch SYSTEM INTERFACE
  "${ASSAY_TORCH_DIR}/include" "${ASSAY_TORCH_DIR}/include/torch/csrc/api/include")
target_compile_definitions(assay_torch INTERFACE AT_PER_OPERATOR_HEADERS)
set(assay_torch_libraries torch torch_cpu c10)
if(EXISTS "${ASSAY_TORCH_DIR}/lib/libtorch_cuda.so")  # a CUDA wheel: keep its libraries although no symbol names them
  list(APPEND assay_torch_libraries torch_cuda c10_cuda)
endif()
target_link_options(assay_torch INTERFACE "-Wl,--no-as-needed")
foreach(name IN LISTS assay_torch_libraries)
  target_link_libraries(assay_torch INTERFACE "${ASSAY_TORCH_DIR}/lib/lib${name}.so")
endforeach()
set(ASSAY_TORCH_LIB_DIR "${ASSAY_TORCH_DIR}/lib")

# The version is written into results and into cache keys: another LibTorch may round differently.
file(STRINGS "${ASSAY_TORCH_DIR}/include/torch/headeronly/version.h" version_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE "[^0-9;]" "" version_numbers "${version_lines}")
string(REPLACE ";" "." ASSAY_TORCH_VERSION "${version_numbers}")
