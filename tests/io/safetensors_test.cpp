#include "assay/io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "assay/core/twin.h"
#include "tests/support/data.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

std::string with_header(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

/// One tensor "x" whose fields are given; `data` are the bytes after the header.
std::string one(const std::string& fields, const std::string& data) {
  return with_header(R"({"x":{)" + fields + "}}", data);
}

class SafetensorsFile : public ::testing::Test {
 protected:
  Safetensors read(const std::string& bytes) {
    return read_safetensors(folder_.write("x.safetensors", bytes), ErrorKind::Model);
  }
  void expect_refusal(const std::string& bytes, const std::string& words) {
    EXPECT_THAT(error_of([&] { read(bytes); }), Refusal(ErrorKind::Model, words));
  }
  void expect_folder_refusal(const std::string& words) {
    EXPECT_THAT(error_of([&] { read_safetensors_folder(folder_.path(), ErrorKind::Model); }),
                Refusal(ErrorKind::Model, words));
  }
  std::string shard(const std::string& name, const std::string& tensor) {
    const std::string path = folder_ / name;
    write_safetensors(path, {{tensor, make_array<float>({1}, {1})}});
    return path;
  }
  void index(const std::string& weight_map) {
    folder_.write("model.safetensors.index.json", R"({"metadata":{"total_size":8},"weight_map":)" + weight_map + "}");
  }

  TemporaryFolder folder_;
};

TEST_F(SafetensorsFile, IsWrittenByteForByteAsTheReferenceDoes) {
  // Recorded from the Python package safetensors 0.8.0: save() of the same arrays.
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]},)"
      R"("d":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[0,4],"data_offsets":[16,16]},)"
      R"("z":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},"i":{"dtype":"I32","shape":[1],"data_offsets":[24,28]},)"
      R"("h":{"dtype":"F16","shape":[],"data_offsets":[28,30]},"c":{"dtype":"U8","shape":[3],"data_offsets":[30,33]}})";
  const char data[] = "\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\xc0\x3f\0\0\0\xc0\xff\xff\xff\xff\0\x38\x01\x02\x03";
  const std::string expected = with_header(header + std::string((8 - header.size() % 8) % 8, ' '), {data, 33});

  const uint16_t half = 0x3800;
  const Arrays arrays{{"z", make_array<float>({2}, {1.5f, -2})},
                      {"b", make_array<int64_t>({1, 1}, {7})},
                      {"c", make_array<uint8_t>({3}, {1, 2, 3})},
                      {"a", make_array<float>({0, 4}, {})},
                      {"h", Array{DType::F16, {}, std::as_bytes(std::span(&half, 1)), nullptr}},
                      {"i", make_array<int32_t>({1}, {-1})},
                      {"d", make_array<double>({1}, {2})}};
  const std::string path = folder_ / "ours.safetensors";
  write_safetensors(path, arrays, {{"format", "pt"}});
  EXPECT_EQ(read_bytes(path), expected);

  const Safetensors again = read_safetensors(path, ErrorKind::Data);
  EXPECT_EQ(again.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  ASSERT_EQ(again.tensors.size(), arrays.size());
  for (const auto& [name, array] : arrays) {
    const Array& read = again.tensors.at(name);
    EXPECT_EQ(read.dtype, array.dtype) << name;
    EXPECT_EQ(read.shape, array.shape) << name;
    EXPECT_TRUE(std::equal(read.bytes.begin(), read.bytes.end(), array.bytes.begin(), array.bytes.end())) << name;
  }
}

TEST_F(SafetensorsFile, ReadsAFileWithoutTensors) {
  EXPECT_TRUE(read(with_header("{}")).tensors.empty());
  EXPECT_TRUE(read(with_header("{}      ")).tensors.empty());
}

TEST_F(SafetensorsFile, AMisalignedTensorIsCopiedToAlignedBytes) {
  const std::string bytes =
      with_header(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} )", {"\0\0\x80\x3f", 4});
  ASSERT_NE((bytes.size() - 4) % 4, 0u);
  const Safetensors file = read(bytes);
  const Array& array = file.tensors.at("x");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(array.bytes.data()) % 4, 0u);
  EXPECT_EQ(values<float>(array)[0], 1.0f);
}

TEST_F(SafetensorsFile, RefusesEveryBrokenRuleOfTheHeader) {
  const std::string x = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  EXPECT_NO_THROW(read(one(x, "abcd")));
  expect_refusal("abc", "must begin with 8 bytes of header length, but the file has 3 bytes");
  expect_refusal(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), "must be at most 100,000,000 bytes long");
  expect_refusal(std::string("\x03\0\0\0\0\0\0\0{}", 10),
                 "must end inside the file, but its header length is 3 in 10 bytes");
  expect_refusal(std::string(8, '\0'), "must begin with '{'");
  expect_refusal(with_header(" {}"), "must begin with '{'");
  expect_refusal(with_header("{\"x\":"), "line 1, column 6");
  expect_refusal(with_header("{} x"), "must be JSON");
  expect_refusal(with_header("{\"\xff\":1}"), "must be JSON");
  expect_refusal(with_header(R"({"__metadata__":{"a":1}})"), R"(must hold texts only, but "a" is 1)");
  expect_refusal(with_header(R"({"__metadata__":[]})"), "must be an object of texts");
  expect_refusal(with_header(R"({"x":1})"), "must be a JSON object, but it is 1");
  expect_refusal(one(x + R"(,"stride":[1])", "abcd"), R"("stride" is not)");
  expect_refusal(one(R"("shape":[1],"data_offsets":[0,4])", "abcd"), R"("dtype" must be given)");
  expect_refusal(one(R"("dtype":"F31","shape":[1],"data_offsets":[0,4])", "abcd"), R"(it has "F31"; closest: "F32")");
  expect_refusal(one(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])", "abcd"), "sizes that are not negative");
  expect_refusal(one(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])", "abcd"), "must be a list of integers");
  expect_refusal(one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])", ""),
                 "product fits 63 bits");
  expect_refusal(one(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])", ""),
                 "product fits 63 bits");
  expect_refusal(one(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4])", "abcd"),
                 "list of integers");
  expect_refusal(one(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])", "abcd"), "0 <= begin <= end");
  expect_refusal(one(R"("dtype":"F32","shape":[1],"data_offsets":[0])", "abcd"), "0 <= begin <= end");
  expect_refusal(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])", "abcd"),
                 R"(of F32 [2] must take 8 bytes, but its data_offsets span 4)");
  const std::string twice = R"({"x":{)" + x + R"(},"x":{)" + x + "}}";
  expect_refusal(with_header(twice, "abcd"), R"("x" stands there twice)");
  const ScopedTwin twin("io.json_duplicate_key_kept");
  EXPECT_NO_THROW(read(with_header(twice, "abcd")));
}

TEST_F(SafetensorsFile, TensorsTileTheFileWithoutGapOrOverlap) {
  const auto two = [](int begin, int end, const std::string& data) {
    return with_header(
        R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":[)" +
            std::to_string(begin) + "," + std::to_string(end) + "]}}",
        data);
  };
  EXPECT_NO_THROW(read(two(4, 8, "abcdefgh")));
  expect_refusal(two(5, 9, "abcdefghi"), "which leaves a gap");
  expect_refusal(two(3, 7, "abcdefg"), "which leaves an overlap");
  expect_refusal(two(4, 8, "abcdefg"), "they take 8 of 7 bytes after the header; the file is cut off");
  expect_refusal(two(4, 8, "abcdefghi"), "the file is too long");
  const ScopedTwin twin("io.safetensors_gap_unchecked");
  EXPECT_NO_THROW(read(two(5, 9, "abcdefghi")));
}

TEST_F(SafetensorsFile, AFileCutOffAnywhereIsOneSentence) {
  const std::string path = folder_ / "whole.safetensors";
  write_safetensors(path, {{"x", make_array<float>({2}, {1, 2})}, {"y", make_array<uint8_t>({3}, {1, 2, 3})}});
  const std::string whole = read_bytes(path);
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto error = error_of([&] { read(whole.substr(0, size)); });
    ASSERT_TRUE(error) << size;
    EXPECT_EQ(error->kind(), ErrorKind::Model);
  }
}

TEST_F(SafetensorsFile, AByteChangedAnywhereIsReadOrRefusedButNeverCrashes) {
  const std::string path = folder_ / "whole.safetensors";
  write_safetensors(path, {{"x", make_array<float>({2}, {1, 2})}, {"y", make_array<uint8_t>({3}, {1, 2, 3})}},
                    {{"k", "v"}});
  const std::string whole = read_bytes(path);
  size_t refused = 0;
  for (size_t at = 0; at < whole.size() - 11; ++at) {  // the 11 bytes of data may be anything
    for (const char flip : {'\x01', '\x10', '\x80'}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      refused += error_of([&] { read(changed); }).has_value();
    }
  }
  EXPECT_GT(refused, whole.size());
}

TEST_F(SafetensorsFile, AFolderIsReadThroughItsIndexAndSymbolicLinks) {
  std::filesystem::rename(shard("one.safetensors", "a"), folder_ / "blob");
  std::filesystem::create_symlink(folder_ / "blob", folder_ / "one.safetensors");
  shard("two.safetensors", "b");
  index(R"({"a":"one.safetensors","b":"two.safetensors"})");
  EXPECT_EQ(read_safetensors_folder(folder_.path(), ErrorKind::Model).tensors.size(), 2u);
}

TEST_F(SafetensorsFile, RefusesAFolderThatContradictsItsIndex) {
  expect_folder_refusal("must hold model.safetensors or model.safetensors.index.json");
  shard("one.safetensors", "a");
  index(R"({"a":"two.safetensors"})");
  expect_folder_refusal("shard \"two.safetensors\" must lie beside the index, but there is none of this name");
  index(R"({"a":"one.safetensors","b":"one.safetensors"})");
  expect_folder_refusal(R"(must hold tensor "b")");
  index(R"({"a":7})");
  expect_folder_refusal(R"("weight_map.a" must be a text, but it is 7)");
  for (const char* name : {"../one.safetensors", "/etc/passwd", "x/../../one.safetensors", ""}) {
    index(std::string(R"({"a":")") + name + "\"}");
    expect_folder_refusal("a shard must be a file inside the folder");
  }
  shard("two.safetensors", "a");
  shard("three.safetensors", "b");
  std::filesystem::rename(folder_ / "two.safetensors", folder_ / "both.safetensors");
  write_safetensors(folder_ / "both.safetensors",
                    {{"a", make_array<float>({1}, {1})}, {"b", make_array<float>({1}, {1})}});
  index(R"({"a":"both.safetensors","b":"three.safetensors"})");
  expect_folder_refusal(R"(but "b" of "both.safetensors" is not)");
}

TEST(Safetensors, ReadsARealCheckpoint) {
  const std::string folder = data_path("models/stories260K");
  if (folder.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Safetensors model = read_safetensors_folder(folder, ErrorKind::Model);
  EXPECT_EQ(array_named(model.tensors, "model.embed_tokens.weight", folder, ErrorKind::Model).shape,
            (std::vector<int64_t>{512, 64}));
  EXPECT_THAT(error_of([&] { array_named(model.tensors, "model.embed_token.weight", folder, ErrorKind::Model); }),
              Refusal(ErrorKind::Model, R"(closest: "model.embed_tokens.weight")"));
}

}  // namespace
}  // namespace assay::io
