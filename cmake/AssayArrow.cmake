# The Arrow library, for corpora of Parquet. It is not required: without it such files are refused by name.
#
#   ASSAY_ARROW_FOUND       whether it is there; its headers are then among the system's (generated/system)
#   ASSAY_ARROW_LIBRARIES   libparquet and libarrow, by their paths
#   ASSAY_ARROW_LIB_DIR     where they lie, for the rpath
#
# ASSAY_ARROW_DIR names a folder that holds include/ and, there or in lib/, libarrow.so and libparquet.so with or without
# a version behind them, as the "pyarrow" folder of a pip wheel does. Otherwise an installed Arrow is looked for.
if(NOT ASSAY_ARROW_DIR AND NOT "$ENV{ASSAY_ARROW_DIR}" STREQUAL "")  # kept, for when ninja configures again
  set(ASSAY_ARROW_DIR "$ENV{ASSAY_ARROW_DIR}" CACHE PATH "The folder of an Arrow library" FORCE)
endif()
set(ASSAY_ARROW_FOUND FALSE)
set(ASSAY_ARROW_LIBRARIES)
set(ASSAY_ARROW_LIB_DIR)
set(headers)
if(ASSAY_ARROW_DIR)
  get_filename_component(headers "${ASSAY_ARROW_DIR}/include" ABSOLUTE)
  foreach(name IN ITEMS parquet arrow)
    file(GLOB found "${ASSAY_ARROW_DIR}/lib${name}.so" "${ASSAY_ARROW_DIR}/lib/lib${name}.so"
      "${ASSAY_ARROW_DIR}/lib${name}.so.*" "${ASSAY_ARROW_DIR}/lib/lib${name}.so.*")
    if(NOT found OR NOT IS_DIRECTORY "${headers}/${name}")
      message(FATAL_ERROR
        "Configuring Assay: Parquet is read by the Arrow library, and ASSAY_ARROW_DIR='${ASSAY_ARROW_DIR}' holds no lib${name}.so with its "
        "headers in include/${name}. Name the 'pyarrow' folder of a pip wheel or the prefix of an installed Arrow, or leave it out.")
    endif()
    list(GET found 0 library)
    list(APPEND ASSAY_ARROW_LIBRARIES "${library}")
  endforeach()
  get_filename_component(ASSAY_ARROW_LIB_DIR "${library}" DIRECTORY)
  set(ASSAY_ARROW_FOUND TRUE)
else()
  find_package(Arrow CONFIG QUIET)
  find_package(Parquet CONFIG QUIET)
  if(TARGET Arrow::arrow_shared AND TARGET Parquet::parquet_shared)
    get_target_property(headers Arrow::arrow_shared INTERFACE_INCLUDE_DIRECTORIES)
    list(GET headers 0 headers)
    set(ASSAY_ARROW_LIBRARIES "$<TARGET_FILE:Parquet::parquet_shared>" "$<TARGET_FILE:Arrow::arrow_shared>")
    set(ASSAY_ARROW_LIB_DIR "$<TARGET_FILE_DIR:Arrow::arrow_shared>")
    set(ASSAY_ARROW_FOUND TRUE)
  endif()
endif()

# By links, since a prefix may hold headers of other versions of what LibTorch and the system have, too.
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/generated/system")
foreach(name IN ITEMS parquet arrow)
  file(REMOVE "${PROJECT_BINARY_DIR}/generated/system/${name}")
  if(ASSAY_ARROW_FOUND)
    file(CREATE_LINK "${headers}/${name}" "${PROJECT_BINARY_DIR}/generated/system/${name}" SYMBOLIC)
  endif()
endforeach()
