// Documents that are appended to a finished index: it stays what it was until they are whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "assay/core/twin.h"
#include "tests/support/errors.h"
#include "tests/support/indexing.h"

namespace assay::attribute {
namespace {

using testing::HasSubstr;

/// What a question meets.
struct Reading {
  int64_t rows = 0, parts = 0;
  std::string hash, documents;
  at::Tensor scores;

  bool operator==(const Reading& other) const {
    return rows == other.rows && parts == other.parts && hash == other.hash && documents == other.documents &&
           scores.equal(other.scores);
  }
};

/// Notes what is said.
class Listening final : public Progress {
 public:
  void begin(std::string_view, int64_t, std::string_view) override {}
  void advance(int64_t) override {}
  void end() override {}
  void note(std::string_view line) override { heard += line; }

  std::string heard;
};

const ToyMlp kShape{.features = 4, .hidden = {6, 5}, .outputs = 3};

/// Eight documents in two blocks, to which eight are appended. At rank 3 there are fewer rows than dimensions before
/// and more behind.
class Append : public testing::TestWithParam<IndexSettings> {
 protected:
  Append() { indexing_.build(base_); }

  Reading reading(const std::string& path) const {
    const GradientIndex index(path);
    return {index.rows(), index.parts(), index.hash(), index.documents().dataset.content_hash(),
            indexing_.scores(path)};
  }
  IndexOutcome append(const std::string& path, const data::Dataset& dataset,
                      Progress& progress = silent_progress()) const {
    const IndexedDocuments documents{.dataset = dataset};
    IndexRequest request = indexing_.request(documents);
    request.append = true;
    request.memory_bytes = 1;  // the sums of one layer at a time: stops fall between them
    return build_index(path, request, progress);
  }
  std::string copy(const std::string& name) const {
    std::filesystem::copy(base_, folder_ / name);
    return folder_ / name;
  }
  /// A copy whose append was stopped there; whether it was.
  bool stopped(const std::string& path, int after) const {
    Stopping stopping(after);
    return error_of([&] { append(path, more_, stopping); }).has_value();
  }

  TemporaryFolder folder_;
  std::string base_ = folder_ / "base";
  Indexing indexing_{{toy_mlp(kShape), toy_arrays(8, kShape, 1), toy_arrays(4, kShape, 2)},
                     GetParam(),
                     /*rows_per_block=*/4};
  const data::Dataset more_ = toy_arrays(8, kShape, 3), others_ = toy_arrays(5, kShape, 4);
};

TEST_P(Append, StoppedAnywhereLeavesWhatWasThere) {
  const Reading before = reading(base_);
  EXPECT_EQ(GradientIndex(base_).unfinished_warning(), "");
  int tries = 0;
  const auto leaves_all_at_every_stop = [&] {
    ++tries;
    for (int after = 0;; ++after) {
      const std::string path = copy("stopped." + std::to_string(tries) + "." + std::to_string(after));
      if (!stopped(path, after)) return after >= 3;
      try {
        if (!(reading(path) == before)) return false;
        if (GradientIndex(path).unfinished_warning().find("8 documents are not used") == std::string::npos)
          return false;
      } catch (const Error&) {
        return false;
      }
    }
  };
  EXPECT_TRUE(leaves_all_at_every_stop());
  for (const char* name : {"attribute.append_closes_what_was_there", "attribute.unfinished_append_is_read",
                           "attribute.append_over_the_curvature"}) {
    // Rows that serve as their own curvature cannot be written over, and of the Kronecker forms nothing stops between.
    const bool has_sums = GetParam().curvature == IndexCurvature::Raw && GetParam().rank_in == 2;
    if (!has_sums && std::string_view(name).ends_with("curvature")) continue;
    const ScopedTwin twin(name);
    EXPECT_FALSE(leaves_all_at_every_stop()) << name;
  }
}

TEST_P(Append, StoppedAnywhereGoesOnToTheSame) {
  const std::string straight = copy("straight");
  append(straight, more_);
  const Reading expected = reading(straight);
  EXPECT_EQ(expected.parts, 2);
  for (int after = 0;; ++after) {
    const std::string path = copy("stopped." + std::to_string(after));
    if (!stopped(path, after)) break;
    const IndexOutcome outcome = append(path, more_);
    EXPECT_EQ(outcome.reused, std::min(8, 4 * after));
    const Reading found = reading(path);
    EXPECT_TRUE(found.scores.equal(expected.scores)) << after;
    EXPECT_EQ(found.documents, expected.documents);
    EXPECT_EQ(GradientIndex(path).unfinished_warning(), "");
    EXPECT_TRUE(append(path, more_).was_there);
  }
}

TEST_P(Append, OtherDocumentsMakeAnUnfinishedOneGo) {
  const std::string straight = copy("straight");
  append(straight, others_);
  const Reading expected = reading(straight);
  int tries = 0;
  const auto go_and_are_told = [&] {
    ++tries;
    for (int after = 0;; ++after) {
      const std::string path = copy("dropped." + std::to_string(tries) + "." + std::to_string(after));
      if (!stopped(path, after)) return after >= 3;
      Listening listening;
      try {
        if (append(path, others_, listening).dropped != 8 || !(reading(path) == expected)) return false;
      } catch (const Error&) {
        return false;
      }
      if (listening.heard != dropped_sentence(8)) return false;
      for (const auto& entry : std::filesystem::directory_iterator(path))  // none of its blocks is left
        if (!std::filesystem::exists(std::filesystem::path(straight) / entry.path().filename())) return false;
    }
  };
  EXPECT_TRUE(go_and_are_told());
  EXPECT_THAT(dropped_sentence(8), HasSubstr("append them again, too"));
  const ScopedTwin twin("attribute.unfinished_append_stays");
  EXPECT_FALSE(go_and_are_told());
}

// Damage in what is not used is not in the way of what is.
TEST_P(Append, DamageInAnUnfinishedOneIsNotInTheWay) {
  const std::string path = copy("index");
  ASSERT_TRUE(stopped(path, 1));
  std::string bytes = read_bytes(path + "/documents.0001.safetensors");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(path + "/documents.0001.safetensors", std::ios::binary) << bytes;
  EXPECT_TRUE(reading(path) == reading(base_));
  EXPECT_THAT(GradientIndex(path).unfinished_warning(), HasSubstr("8 documents are not used"));
  append(path, more_);
  const std::string straight = copy("straight");
  append(straight, more_);
  EXPECT_TRUE(reading(path) == reading(straight));
}

// The command that began an index leaves an unfinished append to its own.
TEST_P(Append, TheFirstCommandAgainChangesNothing) {
  const std::string path = copy("index");
  ASSERT_TRUE(stopped(path, 1));
  const Reading before = reading(path);
  EXPECT_TRUE(indexing_.build(path).was_there);
  EXPECT_TRUE(reading(path) == before);
  EXPECT_EQ(append(path, more_).reused, 4);
}

// A block that is gone is made by the command that made it, and the parts behind wait for theirs.
TEST_P(Append, PartsBehindALostBlockAreNotLost) {
  const std::string path = copy("index");
  append(path, more_);
  const Reading before = reading(path);
  std::filesystem::remove(path + "/rows.0000.00001.safetensors");
  EXPECT_THAT(error_of([&] { GradientIndex index(path); }), Refusal(ErrorKind::Data, "missing or of another size"));
  EXPECT_THAT(error_of([&] { append(path, more_); }), Refusal(ErrorKind::Data, "run the command that began it"));
  EXPECT_EQ(indexing_.build(path).reused, 4);
  EXPECT_TRUE(reading(path).scores.equal(indexing_.scores(base_)));
  EXPECT_THAT(GradientIndex(path).unfinished_warning(), HasSubstr("8 documents are not used"));
  EXPECT_EQ(append(path, more_).reused, 8);
  EXPECT_TRUE(reading(path).scores.equal(before.scores));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Append,
    testing::Values(IndexSettings{.rank_out = 2, .rank_in = 2}, IndexSettings{.rank_out = 3, .rank_in = 3},
                    IndexSettings{.rank_out = 2, .rank_in = 2, .curvature = IndexCurvature::Ekfac}));

}  // namespace
}  // namespace assay::attribute
