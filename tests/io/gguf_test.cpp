#include "assay/io/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "assay/core/twin.h"
#include "assay/io/half.h"
#include "tests/support/data.h"
#include "tests/support/errors.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

/// Bytes that anybody can generate again: 29, 29 + step, … modulo 256.
std::string pattern(size_t count, size_t step) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>((i * step + 29) & 255);
  return bytes;
}

std::vector<uint32_t> bits_of(const Array& array) {
  std::vector<uint32_t> bits;
  for (const float value : values<float>(array)) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

class GgufFile : public ::testing::Test {
 protected:
  Gguf open(const GgufWriter& writer) { return open_bytes(writer.bytes()); }
  Gguf open_bytes(const std::string& bytes) { return Gguf::open(folder_.write("m.gguf", bytes), ErrorKind::Model); }
  void expect_refusal(const std::string& bytes, const std::string& words) {
    EXPECT_THAT(error_of([&] { open_bytes(bytes); }), Refusal(ErrorKind::Model, words));
  }
  void expect_refusal(const GgufWriter& writer, const std::string& words) { expect_refusal(writer.bytes(), words); }

  TemporaryFolder folder_;
};

// Recorded from the Python package gguf 0.19.0, quants.dequantize, on the same bytes.
const std::vector<uint32_t> kQ8{
    0x40398E00, 0x40D32600, 0x4124C280, 0xC1398E00, 0xC0FCBD00, 0xC0865E00, 0xBEFFF000, 0x404CC000, 0x40DCBF00,
    0x41298F00, 0xC134C180, 0xC0F32400, 0xC0798A00, 0xBE4CC000, 0x405FF200, 0x40E65800, 0x412E5B80, 0xC12FF500,
    0xC0E98B00, 0xC0665800, 0x3DCCC000, 0x40732400, 0x40EFF100, 0x41332800, 0xC12B2880, 0xC0DFF200, 0xC0532600,
    0x3ECCC000, 0x40832B00, 0x40F98A00, 0x4137F480, 0xC1265C00, 0xC1227200, 0xC1BE7400, 0xC215D780, 0x421A0B00,
    0x41C6DB00, 0x41334000, 0xC01CD800, 0xC180D600, 0xC1EE1100, 0xC22DA600, 0x42023C80, 0x41973E00, 0x40A80C00,
    0xC1067000, 0xC1B07300, 0xC20ED700, 0x42210B80, 0x41D4DC00, 0x414F4200, 0xBF334000, 0xC165AA00, 0xC1E01000,
    0xC226A580, 0x42093D00, 0x41A53F00, 0x40E01000, 0xC0D4DC00, 0xC1A27200, 0xC207D680, 0x42280C00, 0x41E2DD00,
    0x416B4400, 0x36AE0000, 0x37520000, 0x37A68000, 0xB79C0000, 0xB73D0000, 0xB6840000, 0x36640000, 0x37340000,
    0x37978000, 0xB7AB0000, 0xB75B0000, 0xB6C00000, 0x35D80000, 0x37160000, 0x37888000, 0xB7BA0000, 0xB7790000,
    0xB6FC0000, 0xB4400000, 0x36F00000, 0x37730000, 0x37B70000, 0xB78B8000, 0xB71C0000, 0xB6040000, 0x36B40000,
    0x37550000, 0x37A80000, 0xB79A8000, 0xB73A0000, 0xB67C0000, 0x36700000};
const std::vector<uint32_t> kQ4{
    0x3F731800, 0xBE19C000, 0x3EB31000, 0x3F598000, 0xBE801000, 0x3E7FC000, 0x3F3FE800, 0xBEB34000, 0x3E196000,
    0x3F265000, 0x3F932400, 0x3D4C0000, 0x3F0CB800, 0x3F865800, 0xBD4D8000, 0x3EE64000, 0xBE801000, 0x3D4C0000,
    0x3E7FC000, 0x3EE64000, 0x3F3FE800, 0x3F731800, 0x3F932400, 0xBE19C000, 0x3D4C0000, 0x3E7FC000, 0x3EE64000,
    0x3F3FE800, 0x3F731800, 0x3F932400, 0xBE19C000, 0x3D4C0000, 0x3EF24C00, 0x3F653800, 0x3F112A00, 0x3F7D3C00,
    0x3F292E00, 0x3F8AA000, 0x3F413200, 0x3EDA4800, 0x3F593600, 0x3F052800, 0x3F713A00, 0x3F1D2C00, 0x3F849F00,
    0x3F353000, 0x3EC24400, 0x3F4D3400, 0x3F849F00, 0x3F653800, 0x3F4D3400, 0x3F292E00, 0x3F112A00, 0x3EDA4800,
    0x3F8AA000, 0x3F7D3C00, 0x3F593600, 0x3F413200, 0x3F1D2C00, 0x3F052800, 0x3EC24400, 0x3F849F00, 0x3F713A00,
    0x3F4D3400, 0x36000000, 0x35300000, 0x36180000, 0x35880000, 0xB4800000, 0x35B80000, 0x34000000, 0x35E80000,
    0x35000000, 0x360C0000, 0x35600000, 0xB4E00000, 0x35A00000, 0xB3800000, 0x35D00000, 0x34A00000, 0xB4800000,
    0x34A00000, 0x35300000, 0x35A00000, 0x35E80000, 0x360C0000, 0xB4800000, 0x34000000, 0x35300000, 0x35880000,
    0x35D00000, 0x360C0000, 0xB4E00000, 0x34000000, 0x35000000, 0x35880000};
const std::vector<uint32_t> kF16{0x46C3A000, 0x3D19E000, 0xC3502000, 0xB9866000, 0x3FDCA000, 0xC612E000, 0xBC492000,
                                 0x429F6000, 0x38D5A000, 0xBF0BE000, 0x45422000, 0x3B986000, 0xC1CEA000, 0xB61C0000,
                                 0x3E5B2000, 0xC4916000, 0xBAC7A000, 0x411DE000, 0xC7542000, 0xBD8A6000};
const std::vector<uint32_t> kBf16{0x761D0000, 0x28CF0000, 0xDA810000, 0x8C330000, 0x3EE50000, 0xF0970000, 0xA2490000,
                                  0x54FB0000, 0x06AD0000, 0xB85F0000, 0x6A110000, 0x1CC30000, 0xCE750000, 0x80270000,
                                  0x32D90000, 0xE48B0000, 0x963D0000, 0x48EF0000, 0xFAA10000, 0xAC530000};

/// Three blocks each: scales of 0.1, -0.35 and a subnormal; 0.1 - 0.35, a negative scale, subnormals.
std::string q8_bytes() {
  return std::string("\x66\x2e", 2) + pattern(32, 37) + std::string("\x9a\xb5", 2) + pattern(32, 39) +
         std::string("\x03\x00", 2) + pattern(32, 41);
}
std::string q4_bytes() {
  return std::string("\x66\x2e\x9a\xb5", 4) + pattern(16, 37) + std::string("\x01\xaa\x55\x3c", 4) + pattern(16, 39) +
         std::string("\x03\x00\x07\x80", 4) + pattern(16, 41);
}

TEST_F(GgufFile, DequantisesBitForBitAsTheReferenceDoes) {
  const Gguf gguf = open(GgufWriter()
                             .tensor("q8", {3, 32}, 8, q8_bytes())
                             .tensor("q4", {1, 96}, 3, q4_bytes())
                             .tensor("f16", {20}, 1, pattern(40, 89))
                             .tensor("bf16", {20}, 30, pattern(40, 89))
                             .tensor("f32", {5, 2}, 0, pattern(40, 89)));
  EXPECT_EQ(bits_of(gguf.load("q8")), kQ8);
  EXPECT_EQ(bits_of(gguf.load("q4")), kQ4);
  EXPECT_EQ(bits_of(gguf.load("f16")), kF16);
  EXPECT_EQ(bits_of(gguf.load("bf16")), kBf16);
  EXPECT_EQ(std::memcmp(gguf.load("f32").bytes.data(), pattern(40, 89).data(), 40), 0);
  EXPECT_EQ(gguf.load("f32").bytes.data(), gguf.tensors().at("f32").bytes.data()) << "float32 must not be copied";

  const ScopedTwin twin("io.scale_and_minimum_swapped");
  EXPECT_NE(bits_of(gguf.load("q4")), kQ4);
}

TEST(Half, EveryHalfEqualsItsDefinition) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const double fraction = static_cast<double>(bits & 1023) / 1024;
    const double sign = (bits & 0x8000) != 0 ? -1 : 1;
    const float widened = half_to_float(static_cast<uint16_t>(bits));
    if (exponent == 31 && fraction != 0) {
      EXPECT_TRUE(std::isnan(widened)) << bits;
      continue;
    }
    const double expected = exponent == 31  ? INFINITY
                            : exponent == 0 ? std::ldexp(fraction, -14)
                                            : std::ldexp(1 + fraction, exponent - 15);
    EXPECT_EQ(std::bit_cast<uint32_t>(widened), std::bit_cast<uint32_t>(static_cast<float>(sign * expected))) << bits;
  }
}

TEST_F(GgufFile, ShapesAreRowMajor) {
  const GgufWriter writer = GgufWriter().tensor("w", {2, 3}, 0, pattern(24, 1));
  EXPECT_EQ(open(writer).tensors().at("w").shape, (std::vector<int64_t>{2, 3}));
  const ScopedTwin twin("io.gguf_shape_not_reversed");
  EXPECT_NE(open(writer).tensors().at("w").shape, (std::vector<int64_t>{2, 3}));
}

TEST_F(GgufFile, ReadsEveryKindOfMetadata) {
  const std::string nested = gguf_number(uint32_t{9}) + gguf_number(uint64_t{1}) + gguf_number(uint32_t{5}) +
                             gguf_number(uint64_t{2}) + gguf_number(int32_t{-1}) + gguf_number(int32_t{7});
  const Gguf gguf = open(GgufWriter()
                             .value("u8", 0, gguf_number(uint8_t{200}))
                             .value("i8", 1, gguf_number(int8_t{-3}))
                             .value("u16", 2, gguf_number(uint16_t{60000}))
                             .value("i16", 3, gguf_number(int16_t{-300}))
                             .integer("u32", 4'000'000'000)
                             .value("i32", 5, gguf_number(int32_t{-5}))
                             .real("f32", 1e-5f)
                             .value("yes", 7, gguf_number(uint8_t{1}))
                             .text("text", "llama")
                             .texts("tokens", {"a", "", "\xC4\xA0the"})
                             .value("lists", 9, nested)
                             .value("u64", 10, gguf_number(~uint64_t{0}))
                             .value("i64", 11, gguf_number(int64_t{-6}))
                             .value("f64", 12, gguf_number(0.1)));
  const GgufMetadata& m = gguf.metadata();
  EXPECT_EQ(m.integer("u8"), 200);
  EXPECT_EQ(m.integer("i8"), -3);
  EXPECT_EQ(m.integer("u16"), 60000);
  EXPECT_EQ(m.integer("i16"), -300);
  EXPECT_EQ(m.positive("u32"), 4'000'000'000);
  EXPECT_EQ(m.integer("i32"), -5);
  EXPECT_EQ(m.real("f32"), double{1e-5f});
  EXPECT_EQ(m.real("i32"), -5.0);
  EXPECT_TRUE(m.boolean("yes"));
  EXPECT_EQ(m.text("text"), "llama");
  EXPECT_EQ(m.texts("tokens"), (std::vector<std::string>{"a", "", "\xC4\xA0the"}));
  EXPECT_EQ(m.integer("i64"), -6);
  EXPECT_EQ(m.real("f64"), 0.1);
  EXPECT_EQ(m.integer_or("absent", 3), 3);
  EXPECT_EQ(m.keys().size(), 14u);

  EXPECT_THAT(error_of([&] { m.integer("text"); }),
              Refusal(ErrorKind::Model, R"(metadata "text" must be an integer, but it is "llama")"));
  EXPECT_THAT(error_of([&] { m.positive("i32"); }),
              Refusal(ErrorKind::Model, "must be a positive integer, but it is -5"));
  EXPECT_THAT(error_of([&] { m.integer("u64"); }), Refusal(ErrorKind::Model, "but it is 18446744073709551615"));
  EXPECT_THAT(error_of([&] { m.texts("lists"); }),
              Refusal(ErrorKind::Model, "must be a list of texts, but it is a list of 1"));
  EXPECT_THAT(error_of([&] { m.text("txet"); }), Refusal(ErrorKind::Model, R"(is missing; closest: "text")"));
}

TEST_F(GgufFile, NumbersOfTheMetadataKeepTheirBounds) {
  GgufWriter writer;
  writer.integer("size", 9).real("good", 1e-5F).real("zero", 0).real("negative", -1).real("huge", HUGE_VALF);
  const Gguf file = Gguf::open(folder_.write("x.gguf", writer.bytes()), ErrorKind::Model);
  const GgufMetadata& metadata = file.metadata();
  EXPECT_EQ(metadata.positive("size", 9), 9);
  EXPECT_THAT(error_of([&] { metadata.positive("size", 8); }),
              Refusal(ErrorKind::Model, "\"size\" must be a positive integer up to 8, but it is 9; fetch or convert"));
  EXPECT_EQ(metadata.positive_real("good"), double{1e-5F});
  EXPECT_EQ(metadata.positive_real_or("absent", 3), 3);
  for (const char* key : {"zero", "negative", "huge"}) {
    EXPECT_THAT(error_of([&] { metadata.positive_real(key); }),
                Refusal(ErrorKind::Model, "must be a positive finite number"));
  }
  const ScopedTwin twin("io.gguf_not_positive");
  EXPECT_EQ(metadata.positive_real("zero"), 0);
}

TEST_F(GgufFile, RefusesTensorsOfOtherTypesByName) {
  const Gguf gguf = open(GgufWriter().tensor("blk.0.attn_q.weight", {256}, 11, pattern(110, 3)));
  EXPECT_THAT(
      error_of([&] { gguf.load("blk.0.attn_q.weight"); }),
      Refusal(ErrorKind::Model, "(F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16), but it has Q3_K"));
  EXPECT_THAT(error_of([&] { gguf.load("blk.0.attn_k.weight"); }),
              Refusal(ErrorKind::Model, R"(closest: "blk.0.attn_q.weight")"));
}

TEST_F(GgufFile, RefusesEveryBrokenRule) {
  const std::string w = pattern(64, 7);
  expect_refusal("GGML" + std::string(60, '\0'), "must begin with the letters GGUF");
  GgufWriter version;
  version.version = 1;
  expect_refusal(version, "must be 2 or 3, but it is 1");
  version.version = 0x03000000;
  expect_refusal(version, "big-endian");
  expect_refusal(GgufWriter().value("k", 13, "x"), "one of the 13 value types");
  expect_refusal(GgufWriter().value("k", 7, "\x02"), "must be a truth value");
  expect_refusal(GgufWriter().value("", 7, "\x01"), "must have 1 to 65535 bytes, but one has 0");
  expect_refusal(GgufWriter().integer("k", 1).integer("k", 2), R"(metadata "k" must be given once)");
  expect_refusal(GgufWriter().value("k", 8, gguf_number(~uint64_t{0})), "18446744073709551615 bytes");
  expect_refusal(GgufWriter().value("k", 9, gguf_number(uint32_t{4}) + gguf_number(uint64_t{1} << 60)),
                 "states a list of");
  std::string deep;
  for (int i = 0; i < 10; ++i) deep += gguf_number(uint32_t{9}) + gguf_number(uint64_t{1});
  expect_refusal(GgufWriter().value("k", 9, deep), "must not nest lists");
  expect_refusal(GgufWriter().integer("general.alignment", 24), "a power of two");
  expect_refusal(GgufWriter().integer("general.alignment", 0), "must be a positive integer, but it is 0");
  expect_refusal(GgufWriter().tensor("w", {1, 1, 1, 1, 4}, 0, w), "at most 4 dimensions, but it has 5");
  expect_refusal(GgufWriter().tensor("w", {0, 4}, 0, w), "positive sizes");
  expect_refusal(GgufWriter().tensor("w", {uint64_t{1} << 62, 8}, 0, w), "fit 63 bits");
  expect_refusal(GgufWriter().tensor("w", {uint64_t{1} << 61}, 0, w), "fit 63 bits");
  expect_refusal(GgufWriter().tensor("w", {33}, 8, w), "rows of whole blocks of 32");
  expect_refusal(GgufWriter().tensor("w", {4}, 4, w), "its type number is 4");
  expect_refusal(GgufWriter().tensor("w", {4}, 0, w).tensor("w", {4}, 0, w), "must be listed once");
  expect_refusal(GgufWriter().tensor("v", {16}, 0, w).tensor_at("w", {4}, 0, 12), "must begin at a multiple of 32");
  expect_refusal(GgufWriter().tensor("w", {17}, 0, w), "must lie inside the file");
  expect_refusal(GgufWriter().tensor("v", {16}, 0, w).tensor_at("w", {1}, 0, uint64_t{1} << 60),
                 "must lie inside the file");

  const std::string overlap = GgufWriter().tensor("v", {16}, 0, w).tensor_at("w", {4}, 0, 32).bytes();
  expect_refusal(overlap, "must not overlap another tensor");
  const ScopedTwin twin("io.gguf_overlap_unchecked");
  EXPECT_NO_THROW(open_bytes(overlap));
}

TEST_F(GgufFile, AFileCutOffAnywhereIsOneSentence) {
  const std::string whole = GgufWriter()
                                .text("general.architecture", "llama")
                                .texts("tokens", {"a", "b"})
                                .tensor("w", {2, 32}, 3, pattern(40, 3))
                                .tensor("v", {4}, 0, pattern(16, 5))
                                .bytes();
  EXPECT_NO_THROW(open_bytes(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto error = error_of([&] { open_bytes(whole.substr(0, size)); });
    ASSERT_TRUE(error) << size;
    EXPECT_EQ(error->kind(), ErrorKind::Model) << error->what();
  }
}

TEST_F(GgufFile, AByteChangedAnywhereIsReadOrRefusedButNeverCrashes) {
  const std::string whole = GgufWriter()
                                .text("general.architecture", "llama")
                                .texts("tokens", {"a", "b"})
                                .integer("general.alignment", 32)
                                .tensor("w", {2, 32}, 3, pattern(40, 3))
                                .bytes();
  size_t refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xFF'}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      refused += error_of([&] {
                   const Gguf gguf = open_bytes(changed);
                   for (const auto& [name, tensor] : gguf.tensors()) gguf.load(name);
                 }).has_value();
    }
  }
  EXPECT_GT(refused, whole.size() / 2);
}

}  // namespace
}  // namespace assay::io
