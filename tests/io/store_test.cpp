#include "assay/io/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

namespace fs = std::filesystem;

const StoreKind kKind{"test-factors", 2};
const Json kAbout = {{"model", "abc"}, {"damping", 0.1}, {"layers", {"a", "b"}}};

Arrays numbers(int64_t count, float first = 0) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i);
  return {{"x", make_array<float>({count}, std::move(values))}};
}

class StoreTest : public ::testing::Test {
 protected:
  Store begin(const Json& about = kAbout, IfDifferent if_different = IfDifferent::Refuse) {
    return Store::create_or_resume(folder_, kKind, about, if_different);
  }
  void make_finished() {
    Store store = begin();
    store.write("a", numbers(3));
    store.write("b", numbers(5, 7));
    store.finish();
  }
  void change_byte(const std::string& file, size_t at) {
    std::string bytes = read_bytes(folder_ + "/" + file);
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ 1);
    std::ofstream(folder_ + "/" + file, std::ios::binary) << bytes;
  }

  TemporaryFolder root_;
  const std::string folder_ = root_ / "store";
};

TEST_F(StoreTest, WhatIsWrittenIsReadAndDescribed) {
  make_finished();
  const Store store = Store::open(folder_, kKind);
  EXPECT_EQ(store.blocks(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(store.about(), kAbout);
  const Arrays b = store.read("b");
  EXPECT_EQ(values<float>(b.at("x"))[4], 11);
  EXPECT_THAT(error_of([&] { store.read("c"); }),
              Refusal(ErrorKind::Data, R"(block "c" must be there, but it is not)"));
}

TEST_F(StoreTest, TheSameBlocksGiveTheSameBytes) {
  make_finished();
  const std::string first = read_bytes(folder_ + "/manifest.json") + read_bytes(folder_ + "/a.safetensors");
  fs::remove_all(folder_);
  make_finished();
  EXPECT_EQ(read_bytes(folder_ + "/manifest.json") + read_bytes(folder_ + "/a.safetensors"), first);
}

TEST_F(StoreTest, ARunThatStoppedGoesOnWithTheBlocksThatAreMissing) {
  { begin().write("a", numbers(3)); }
  Store store = begin();
  EXPECT_TRUE(store.has("a"));
  EXPECT_FALSE(store.has("b"));
  EXPECT_FALSE(store.restart_reason());
  EXPECT_THAT(error_of([&] { Store::open(folder_, kKind); }),
              Refusal(ErrorKind::Data, "must be finished, but it has only 1 blocks"));
  store.write("b", numbers(5, 7));
  store.finish();
  EXPECT_EQ(Store::open(folder_, kKind).blocks().size(), 2u);
  EXPECT_TRUE(begin().finished());
}

TEST_F(StoreTest, AnotherRunIsRefusedOrStartsOverOnRequest) {
  { begin().write("a", numbers(3)); }
  Json other = kAbout;
  other["damping"] = 0.2;
  EXPECT_THAT(error_of([&] { begin(other); }), Refusal(ErrorKind::Data, R"("damping" was 0.1 and is now 0.2)"));
  EXPECT_TRUE(begin().has("a")) << "a refusal throws nothing away";
  {
    const ScopedTwin twin("io.store_resumes_another_run");
    EXPECT_NO_THROW(begin(other));
  }
  const Store store = begin({{"model", "abc"}}, IfDifferent::Restart);
  EXPECT_TRUE(store.blocks().empty());
  EXPECT_THAT(*store.restart_reason(), ::testing::HasSubstr("and is now absent"));
  EXPECT_FALSE(fs::exists(folder_ + "/a.safetensors"));
}

TEST_F(StoreTest, AnotherKindOrVersionIsRefused) {
  make_finished();
  EXPECT_THAT(error_of([&] {
                Store::open(folder_, {"gradients", 2});
              }),
              Refusal(ErrorKind::Data, R"(must hold "gradients", but it holds "test-factors")"));
  EXPECT_THAT(error_of([&] {
                Store::open(folder_, {"test-factors", 3});
              }),
              Refusal(ErrorKind::Data, "must have version 3 of \"test-factors\", but it has version 2"));
  EXPECT_THAT(error_of([&] { Store::open(root_.path(), kKind); }), Refusal(ErrorKind::Data, "must exist"));
}

TEST_F(StoreTest, EveryByteIsUnderAChecksum) {
  make_finished();
  const std::string manifest = read_bytes(folder_ + "/manifest.json"), block = read_bytes(folder_ + "/a.safetensors");
  const auto read_all = [&] {
    const Store store = Store::open(folder_, kKind);
    for (const std::string& name : store.blocks()) store.read(name);
  };
  EXPECT_NO_THROW(read_all());
  for (size_t at = 0; at < manifest.size(); ++at) {
    change_byte("manifest.json", at);
    EXPECT_TRUE(error_of(read_all)) << "byte " << at << " of the manifest";
    change_byte("manifest.json", at);
  }
  for (size_t at = 0; at < block.size(); ++at) {
    change_byte("a.safetensors", at);
    EXPECT_THAT(error_of(read_all), Refusal(ErrorKind::Data, "must fit the checksum in the manifest")) << "byte " << at;
    change_byte("a.safetensors", at);
  }
  EXPECT_NO_THROW(read_all());

  change_byte("a.safetensors", block.size() - 1);
  {
    const ScopedTwin twin("io.store_block_checksum_ignored");
    EXPECT_NO_THROW(read_all());
  }
  change_byte("a.safetensors", block.size() - 1);
  change_byte("manifest.json", manifest.find("0.1"));
  const ScopedTwin twin("io.store_manifest_checksum_ignored");
  EXPECT_NO_THROW(read_all());
}

TEST_F(StoreTest, ADamagedStoreStartsOverOnRequestAndALostBlockIsMadeAgain) {
  make_finished();
  fs::resize_file(folder_ + "/a.safetensors", 20);
  EXPECT_THAT(error_of([&] { Store::open(folder_, kKind); }), Refusal(ErrorKind::Data, "missing or of another size"));
  {
    const Store store = begin();
    EXPECT_EQ(store.blocks(), (std::vector<std::string>{"b"}));
    EXPECT_FALSE(store.finished());
  }
  change_byte("manifest.json", read_bytes(folder_ + "/manifest.json").find("test-factors"));
  EXPECT_THAT(error_of([&] { begin(); }), Refusal(ErrorKind::Data, "its bytes must fit its checksum"));
  EXPECT_TRUE(begin(kAbout, IfDifferent::Restart).blocks().empty());
}

TEST_F(StoreTest, ADamagedBlockCanBeDroppedAndMadeAgain) {
  { begin().write("a", numbers(3)); }
  change_byte("a.safetensors", 70);
  Store store = begin();
  EXPECT_THAT(error_of([&] { store.read("a"); }), Refusal(ErrorKind::Data, "must fit the checksum"));
  store.write("a", numbers(3));
  EXPECT_NO_THROW(store.read("a"));
  store.remove("a");
  EXPECT_FALSE(store.has("a"));
  EXPECT_FALSE(fs::exists(folder_ + "/a.safetensors")) << "what is dropped takes no room";
}

TEST_F(StoreTest, NeverMixesWithTheFilesOfOthers) {
  fs::create_directories(folder_);
  std::ofstream(folder_ + "/thesis.tex") << "x";
  EXPECT_THAT(error_of([&] { begin(kAbout, IfDifferent::Restart); }),
              Refusal(ErrorKind::Data, R"(must be new, empty or a store, but it holds "thesis.tex")"));
  fs::remove(folder_ + "/thesis.tex");
  std::ofstream(folder_ + "/manifest.json") << R"({"name": "a web page"})";
  EXPECT_THAT(error_of([&] { begin(kAbout, IfDifferent::Restart); }),
              Refusal(ErrorKind::Data, "must be the manifest of a store, but it is another file"));
  EXPECT_EQ(read_bytes(folder_ + "/manifest.json"), R"({"name": "a web page"})");
  EXPECT_THAT(error_of([&] { Store::create_or_resume(root_.write("file", "x"), kKind, kAbout); }),
              Refusal(ErrorKind::Resource, "making folder"));
}

TEST_F(StoreTest, ASecondWriterIsToldWhoWrites) {
  const Store first = begin();
  EXPECT_THAT(error_of([&] { begin(); }),
              Refusal(ErrorKind::Resource,
                      "only one process may write at a time, but process " + std::to_string(::getpid()) + " on "));
}

TEST_F(StoreTest, AFullDiskLosesNothingThatWasFinished) {
  Store store = begin();
  store.write("a", numbers(3));
  const std::string partial = ".partial-" + std::to_string(::getpid());
  for (const char* file :
       {"/b.safetensors", "/manifest.json"}) {  // the block does not fit; its line in the manifest does not
    fs::create_symlink("/dev/full", folder_ + file + partial);
    EXPECT_THAT(error_of([&] { store.write("b", numbers(5)); }), Refusal(ErrorKind::Resource, "the disk is full"));
    EXPECT_FALSE(store.has("b"));
    EXPECT_NO_THROW(store.read("a"));
  }
  store.write("b", numbers(5));
  store.finish();
  EXPECT_EQ(Store::open(folder_, kKind).read("b").at("x").size(), 5);
}

TEST_F(StoreTest, KilledAtAnyMomentItGoesOnAndTheBytesAgree) {
  constexpr int kBlocks = 12;
  const auto name = [](int i) { return "block-" + std::to_string(i); };
  const auto run = [&](const std::string& folder) {
    Store store = Store::create_or_resume(folder, kKind, kAbout);
    for (int i = 0; i < kBlocks; ++i) {
      if (!store.has(name(i))) store.write(name(i), numbers(20'000, static_cast<float>(i)));
    }
    if (!store.finished()) store.finish();
  };
  run(folder_);
  for (uint64_t trial = 0; trial < 12; ++trial) {
    const std::string killed = root_ / ("killed-" + std::to_string(trial));
    const pid_t child = ::fork();
    if (child == 0) {
      run(killed);
      ::_exit(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random_below(20'000, 3, 0, trial)));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    run(killed);
    for (const auto& entry : fs::directory_iterator(killed)) {
      const std::string file = entry.path().filename().string();
      if (file == ".lock") continue;
      EXPECT_EQ(read_bytes(entry.path().string()), read_bytes(folder_ + "/" + file)) << file;
    }
  }
}

TEST_F(StoreTest, AReplacedBlockIsNeverGone) {
  // Wherever the writing of the second version fails, the first one is still there, for this run and for the next.
  const std::string partial = ".partial-" + std::to_string(::getpid());
  const auto survives = [&](const std::string& file) {
    fs::remove_all(folder_);
    bool here = false;
    {
      Store store = begin();
      store.write("sums", numbers(3));
      fs::create_symlink("/dev/full", folder_ + file + partial);
      EXPECT_THAT(error_of([&] { store.write("sums", numbers(4)); }), Refusal(ErrorKind::Resource, "the disk is full"));
      here = store.has("sums");
    }
    const Store later = begin();
    return here && later.has("sums") && later.read("sums").at("x").size() == 3;
  };
  EXPECT_TRUE(survives("/sums+.safetensors")) << "the block does not fit";
  EXPECT_TRUE(survives("/manifest.json")) << "its line in the manifest does not fit";
  {
    const ScopedTwin twin("io.store_drops_a_block_before_the_next");
    EXPECT_FALSE(survives("/sums+.safetensors"));
  }
  fs::remove_all(folder_);
  Store store = begin();
  for (int64_t size = 1; size <= 5; ++size) store.write("sums", numbers(size));
  EXPECT_EQ(store.read("sums").at("x").size(), 5);
  const auto files = std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  EXPECT_EQ(files, 3) << "the lock, the manifest and one version";
}

TEST_F(StoreTest, KilledWhileABlockIsReplacedItGoesOnFromOneOfTheTwo) {
  for (uint64_t trial = 0; trial < 12; ++trial) {
    const std::string killed = root_ / ("replaced-" + std::to_string(trial));
    { Store::create_or_resume(killed, kKind, kAbout).write("sums", numbers(20'000)); }
    const pid_t child = ::fork();
    if (child == 0) {
      Store store = Store::create_or_resume(killed, kKind, kAbout);
      for (int i = 1; i < 1000; ++i) store.write("sums", numbers(20'000, static_cast<float>(i)));
      ::_exit(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random_below(20'000, 5, 0, trial)));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const Store store = Store::create_or_resume(killed, kKind, kAbout);
    ASSERT_TRUE(store.has("sums"));
    const Arrays sums = store.read("sums");
    EXPECT_EQ(values<float>(sums.at("x"))[19'999] - values<float>(sums.at("x"))[0], 19'999);
    EXPECT_LE(std::distance(fs::directory_iterator(killed), fs::directory_iterator()), 3) << "no version is left over";
  }
}

TEST_F(StoreTest, WhatAnInterruptedWriteLeftBehindIsRemoved) {
  { begin().write("a", numbers(3)); }
  std::ofstream(folder_ + "/b.safetensors.partial-99999") << "half a block";
  const Store store = begin();
  EXPECT_FALSE(fs::exists(folder_ + "/b.safetensors.partial-99999"));
  EXPECT_TRUE(store.has("a"));
}

}  // namespace
}  // namespace assay::io
