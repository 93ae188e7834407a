// Stores that grow after they were finished, and many blocks verified at once.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/io/store.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

const StoreKind kGrowing{"test-rows", 1};
const Json kOrigin = {{"model", "abc"}};

Arrays some_rows(float first) {
  return {{"x", make_array<float>({2}, {first, first + 1})}};
}

class GrowingStore : public ::testing::Test {
 protected:
  GrowingStore() {
    Store store = begin();
    for (const char* block : {"a", "b", "c", "d", "e"}) store.write(block, some_rows(static_cast<float>(block[0])));
    store.finish();
  }
  Store begin() const { return Store::create_or_resume(folder_, kGrowing, kOrigin); }

  TemporaryFolder root_;
  const std::string folder_ = root_ / "store";
};

TEST_F(GrowingStore, TakesFurtherBlocksOnceItIsReopened) {
  {
    Store store = begin();
    EXPECT_TRUE(store.finished());
    EXPECT_THAT(error_of([&] { store.write("f", some_rows(1)); }), Refusal(ErrorKind::Internal, "finished"));
    store.reopen();
    store.write("f", some_rows(1));
  }  // killed here
  EXPECT_THAT(error_of([&] { Store::open(folder_, kGrowing); }), Refusal(ErrorKind::Data, "must be finished"));
  {
    Store store = begin();
    EXPECT_TRUE(store.has("f"));
    store.finish();
  }
  EXPECT_EQ(Store::open(folder_, kGrowing).blocks().size(), 6u);
}

TEST_F(GrowingStore, KeepsWhatItSaysWhileItGrows) {
  const std::vector<std::string> before = begin().blocks();
  const std::string hash = Store::open(folder_, kGrowing).hash_with(before);
  EXPECT_EQ(hash, hash_file(folder_ + "/manifest.json"));
  {
    Store store = begin();
    store.reopen({{"blocks", 5}});
    store.write("f", some_rows(1));
  }  // killed here
  const Store reading = Store::open(folder_, kGrowing);
  EXPECT_FALSE(reading.finished());
  EXPECT_EQ(reading.kept(), (Json{{"blocks", 5}}));
  EXPECT_EQ(reading.hash_with(before), hash);
  {
    Store store = begin();
    EXPECT_EQ(store.kept(), (Json{{"blocks", 5}}));
    store.finish(nullptr, std::vector<std::string>{"a", "none"});
  }
  EXPECT_EQ(Store::open(folder_, kGrowing).blocks(), (std::vector<std::string>{"b", "c", "d", "e", "f"}));
  EXPECT_TRUE(Store::open(folder_, kGrowing).kept().is_null());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/a.safetensors"));
}

// A list of whole blocks is worth nothing where one of them is gone.
TEST_F(GrowingStore, KeepsNothingThatLostABlock) {
  begin().reopen({{"blocks", 5}});
  std::filesystem::remove(folder_ + "/b.safetensors");
  EXPECT_TRUE(begin().kept().is_null());
  EXPECT_THAT(error_of([&] { Store::open(folder_, kGrowing); }), Refusal(ErrorKind::Data, "must be finished"));
}

TEST_F(GrowingStore, SaysWhatItWasMadeFromWhetherFinishedOrNot) {
  EXPECT_EQ(Store::about_in(folder_, kGrowing), kOrigin);
  begin().reopen();
  EXPECT_EQ(Store::about_in(folder_, kGrowing), kOrigin);
  EXPECT_THAT(error_of([&] { Store::about_in(folder_, {"test-rows", 2}); }), Refusal(ErrorKind::Data, "version"));
  EXPECT_THAT(error_of([&] { Store::about_in(root_ / "none", kGrowing); }), Refusal(ErrorKind::Data, "none"));
}

TEST_F(GrowingStore, VerifiesManyBlocksTogether) {
  const std::vector<std::string> all{"a", "b", "c", "d", "e"};
  EXPECT_FALSE(error_of([&] { Store::open(folder_, kGrowing).verify(all); }));
  const std::string path = folder_ + "/d.safetensors";
  std::string bytes = read_bytes(path);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_THAT(error_of([&] { Store::open(folder_, kGrowing).verify(all); }), Refusal(ErrorKind::Data, "d.safetensors"));
  EXPECT_EQ(Store::open(folder_, kGrowing).map("d").size(), 1u) << "what is mapped without a look is there";
  const ScopedTwin twin("io.store_block_checksum_ignored");
  EXPECT_FALSE(error_of([&] { Store::open(folder_, kGrowing).verify(all); }));
}

TEST_F(GrowingStore, SaysWhichFileIsGone) {
  const Store store = Store::open(folder_, kGrowing);
  std::filesystem::remove(folder_ + "/b.safetensors");
  EXPECT_THAT(error_of([&] {
                store.verify(std::vector<std::string>{"a", "b"});
              }),
              Refusal(ErrorKind::Data, "b.safetensors"));
}

}  // namespace
}  // namespace assay::io
