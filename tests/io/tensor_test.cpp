#include "assay/io/tensor.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include "assay/io/safetensors.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

TEST(TensorBridge, ATensorAndItsArrayShareTheirBytesBothWays) {
  const at::Tensor tensor = at::arange(6, at::TensorOptions(at::kFloat)).reshape({2, 3});
  const Array array = from_tensor(tensor);
  EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(static_cast<const void*>(array.bytes.data()), tensor.const_data_ptr());
  EXPECT_EQ(to_tensor(array).const_data_ptr(), tensor.const_data_ptr());
}

TEST(TensorBridge, ATransposedTensorIsStoredInItsOwnOrder) {
  const Array array = from_tensor(at::arange(6, at::TensorOptions(at::kLong)).reshape({2, 3}).t());
  EXPECT_EQ(array.shape, (std::vector<int64_t>{3, 2}));
  const auto numbers = values<int64_t>(array);
  EXPECT_EQ(std::vector<int64_t>(numbers.begin(), numbers.end()), (std::vector<int64_t>{0, 3, 1, 4, 2, 5}));
}

TEST(TensorBridge, ATensorOutlivesTheFileItWasReadFromAndNeverChangesIt) {
  const TemporaryFolder folder;
  const std::string path = folder / "x.safetensors";
  write_safetensors(path, {{"x", make_array<float>({3}, {1, 2, 3})}});
  const std::string before = read_bytes(path);
  at::Tensor tensor = to_tensor(read_safetensors(path, ErrorKind::Data).tensors.at("x"));
  tensor.add_(1);
  EXPECT_EQ(tensor.sum().item<float>(), 9);
  EXPECT_EQ(read_bytes(path), before);
}

TEST(TensorBridge, EveryTypeComesBackAsItWas) {
  for (const auto type : {at::kBool, at::kByte, at::kChar, at::kShort, at::kHalf, at::kBFloat16, at::kInt, at::kFloat,
                          at::kDouble, at::kLong}) {
    const at::Tensor tensor = at::arange(2, at::TensorOptions(at::kLong)).to(type);
    EXPECT_TRUE(to_tensor(from_tensor(tensor)).equal(tensor)) << type;
  }
  const at::Tensor empty = at::arange(0, at::TensorOptions(at::kFloat)).reshape({0, 4});
  EXPECT_EQ(to_tensor(from_tensor(empty)).sizes(), empty.sizes());
}

}  // namespace
}  // namespace assay::io
