// An index as a thing on disk: rows as they are stored, blocks, interruption, further documents, what is refused.
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "assay/attribute/projected_rows.h"
#include "assay/core/twin.h"
#include "assay/io/json.h"
#include "assay/math/correlation.h"
#include "tests/support/errors.h"
#include "tests/support/indexing.h"
#include "tests/support/threads.h"

namespace assay::attribute {
namespace {

double least_spearman(const at::Tensor& a, const at::Tensor& b) {
  double least = 1;
  for (int64_t q = 0; q < a.size(0); ++q) {
    const at::Tensor x = a[q].to(at::kDouble).contiguous(), y = b[q].to(at::kDouble).contiguous();
    least = std::min(least, math::spearman(std::span(x.const_data_ptr<double>(), static_cast<size_t>(x.numel())),
                                           std::span(y.const_data_ptr<double>(), static_cast<size_t>(y.numel()))));
  }
  return least;
}

// Check 7, first half: what a type can hold comes back bit for bit. Of int8 the whole numbers do; their scale, a 127th
// of the largest, is a float that 127 times itself need not give back, and may be its neighbour.
TEST(RowCodec, GivesBackWhatItsTypeHolds) {
  const RowLayout layout{0, 3, 8};
  const at::Tensor rows = at::randn({500, 8}, at::kFloat);
  const auto gives_back = [&](RowType type) {
    const StoredRows stored = encode_rows(rows, type, layout);
    const at::Tensor once = decode_rows(stored, layout, at::kFloat);
    const StoredRows again = encode_rows(once, type, layout);
    const at::Tensor twice = decode_rows(again, layout, at::kFloat);
    const bool is_close = twice.sub(once).abs().le(once.abs().mul(0x1p-22)).all().item<bool>();
    return again.numbers.equal(stored.numbers) && (type == RowType::Int8 ? is_close : twice.equal(once));
  };
  for (const RowType type : {RowType::Float64, RowType::Float32, RowType::BFloat16, RowType::Float16, RowType::Int8}) {
    EXPECT_TRUE(gives_back(type)) << to_string(type);
    const StoredRows stored = encode_rows(rows, type, layout);
    const bool is_exact = type == RowType::Float32 || type == RowType::Float64;
    EXPECT_EQ(decode_rows(stored, layout, at::kFloat).equal(rows), is_exact);
    EXPECT_EQ(stored.scales.defined(), bytes_of_scale(type) > 0);
    EXPECT_EQ(static_cast<int64_t>(stored.numbers.element_size()), bytes_of_number(type));
  }
  EXPECT_TRUE(
      decode_rows(encode_rows(at::zeros({2, 8}), RowType::Int8, layout), layout, at::kFloat).eq(0).all().item<bool>());
  const ScopedTwin twin("attribute.int8_scaled_to_128");
  EXPECT_FALSE(gives_back(RowType::Int8));
}

// Rounding is relative to the largest number of its row and layer: half a step of int8 is 1/254 of it, of fp16 2^-11.
TEST(RowCodec, RoundsRelativeToEachRowAndLayer) {
  const RowLayout layout{0, 4, 8};
  at::Tensor rows = at::randn({6, 8}, at::kDouble).to(at::kFloat);
  rows.narrow(1, 4, 4).mul_(1e-4);  // a layer with small gradients
  rows.select(0, 2).mul_(1e-5);     // a document with small ones
  rows.select(0, 3).mul_(1e6);      // and one beyond 65,504
  const auto worst = [&](RowType type) {
    const at::Tensor back = decode_rows(encode_rows(rows, type, layout), layout, at::kFloat);
    double most = 0;
    for (int64_t row = 0; row < 6; ++row) {
      for (int64_t layer = 0; layer < 2; ++layer) {
        const at::Tensor x = rows[row].narrow(0, 4 * layer, 4), y = back[row].narrow(0, 4 * layer, 4);
        most = std::max(most, largest_difference(x, y) / largest(x));
      }
    }
    return most;
  };
  EXPECT_LE(worst(RowType::Int8), 1.0 / 254 + 1e-6);
  EXPECT_LE(worst(RowType::Float16), 0x1p-11 + 1e-6);
  EXPECT_LE(worst(RowType::BFloat16), 0x1p-8);
  {
    const ScopedTwin twin("attribute.one_scale_a_row");
    EXPECT_GT(worst(RowType::Int8), 0.1);
  }
  const ScopedTwin twin("attribute.fp16_without_scale");
  EXPECT_FALSE(worst(RowType::Float16) <= 0x1p-11 + 1e-6);  // infinite
}

// And so it does over the disk: the bytes of an index are those of the rows encoded in memory.
TEST(GradientIndex, GivesBackTheBitsThatWereEncoded) {
  Indexing indexing{{toy_llama(1, at::kFloat), toy_texts(9, 2, 11, 1), toy_texts(4, 3, 8, 2)},
                    {.rank_out = 3, .rank_in = 4}};
  const auto is_same = [](const at::Tensor& a, const at::Tensor& b) {
    return a.defined() == b.defined() && (!a.defined() || (a.scalar_type() == b.scalar_type() && a.equal(b)));
  };
  for (const RowType type : {RowType::Float32, RowType::BFloat16, RowType::Float16, RowType::Int8}) {
    indexing.settings.rows = type;
    const TemporaryFolder folder;
    indexing.build(folder / "index");
    const auto holds = [&] {
      const GradientIndex index(folder / "index");
      curvature::Projection projection = index.projection(indexing.scoring.model.architecture()).to(at::kFloat);
      const at::Tensor rows = projected_rows(indexing.scoring.model, indexing.scoring.train, nn::loss(), projection,
                                             false, int64_t{4} << 30, "document", 0, [](int64_t) {})
                                  .rows;
      const StoredRows expected = encode_rows(rows, type, index.about().layout());
      const StoredRows& found = index.stored_rows(index.blocks().front());
      return index.blocks().size() == 1 && is_same(found.numbers, expected.numbers) &&
             is_same(found.scales, expected.scales);
    };
    EXPECT_TRUE(holds()) << to_string(type);
    const ScopedTwin twin("attribute.rows_read_by_columns");
    EXPECT_FALSE(holds()) << to_string(type);
  }
}

// Check 7, second half.
TEST(GradientIndex, OfFewBitsRanksAsOneOfMany) {
  Indexing indexing{{toy_llama(1, at::kFloat), toy_texts(60, 4, 20, 1), toy_texts(4, 3, 8, 2)},
                    {.rank_out = 4, .rank_in = 4}};
  const at::Tensor exact = indexing.scores_of_new();
  for (const auto& [type, least] :
       {std::pair(RowType::Float16, 0.995), std::pair(RowType::BFloat16, 0.995), std::pair(RowType::Int8, 0.98)}) {
    indexing.settings.rows = type;
    EXPECT_GE(least_spearman(indexing.scores_of_new(), exact), least) << to_string(type);
  }
  const ScopedTwin twin("kernel.rows_without_their_scales");
  EXPECT_LT(least_spearman(indexing.scores_of_new(), exact), 0.98);
}

// Check 4: (1/N) Σ self_i = Σ_l Σ_j μ_j/(μ_j + λ_l), which is below K and tends to the rank without damping.
TEST(Logra, AddsItsSelfInfluenceUpToTheTraceOfItsFilter) {
  for (const int64_t rank : {2, 4}) {  // more rows than dimensions, and fewer
    const Indexing indexing{index_texts(), {.rank_out = rank, .rank_in = rank, .rows = RowType::Float64}};
    const TemporaryFolder folder;
    indexing.build(folder / "index");
    const GradientIndex index(folder / "index");
    const at::Tensor rows = all_rows(folder / "index");
    double expected = 0, ranks = 0;
    for (const auto& layer : index.about().layers) {
      const at::Tensor z = rows.narrow(1, layer.offset, layer.shape.size());
      const at::Tensor mu = curvature::eigen_of(z.t().matmul(z).div(12)).values;
      const double added = 0.1 * mu.sum().item<double>() / static_cast<double>(mu.numel());
      expected += mu.div(mu.add(added)).sum().item<double>();
      ranks += static_cast<double>(curvature::rank_of(mu, at::kDouble));
    }
    const auto mean_self = [&](const char* method) {
      return indexing.scorer(index, method)->self_influence(silent_progress()).mean().item<double>();
    };
    EXPECT_NEAR(mean_self("logra"), expected, 1e-6 * expected);
    EXPECT_LT(expected, static_cast<double>(index.about().columns()));
    EXPECT_NEAR(mean_self("logra(damping=1e-9)"), ranks, 1e-3 * ranks);
    const ScopedTwin twin("attribute.damping_of_the_first_layer");
    EXPECT_GT(std::abs(mean_self("logra") - expected), 1e-3 * expected);
  }
}

// What is scored through the model, one document after the other, is what the rows give.
TEST(Logra, ScoresDocumentsThroughTheModelAsFromTheIndex) {
  Scoring scoring = index_texts();
  scoring.measurement = nn::log_probability();
  const Indexing indexing{scoring, {.rank_out = 3, .rank_in = 3, .rows = RowType::Float64}};
  const TemporaryFolder folder;
  indexing.build(folder / "index");
  const GradientIndex index(folder / "index");
  for (const char* method : {"logra", "logra(mode=relatif)"}) {
    const auto scorer = indexing.scorer(index, method);
    const at::Tensor expected = indexing.scores(folder / "index", method);
    curvature::Workspace workspace;
    const Parts parts{.per_token = true, .per_layer = true, .self_influence = true, .queries = {2, 0}};
    const Scores scores = scorer->score({scoring.train}, parts, workspace, silent_progress());
    const double rounding = 1e-9 * largest(expected);
    EXPECT_LT(largest_difference(scores.total[0], expected[2]), rounding) << method;
    EXPECT_LT(largest_difference(scores.total[1], expected[0]), rounding) << method;
    EXPECT_LT(largest_difference(scores.per_token.sum({2}), scores.total), rounding) << method;
    EXPECT_LT(largest_difference(scores.per_layer.sum({0}), scores.total), rounding) << method;
    EXPECT_LT(largest_difference(scores.self_influence, scorer->self_influence(silent_progress())),
              1e-9 * largest(scores.self_influence));
    const Scores plain = scorer->score({scoring.train}, {}, workspace, silent_progress());
    EXPECT_LT(largest_difference(plain.total, expected), rounding) << method;
  }
  const at::Tensor expected = indexing.scores(folder / "index", "logra(mode=l2)");
  curvature::Workspace workspace;
  const auto l2 = indexing.scorer(index, "logra(mode=l2)");
  EXPECT_LT(largest_difference(l2->score({scoring.train}, {}, workspace, silent_progress()).total, expected),
            1e-9 * largest(expected));
}

// Check 10: the cut into blocks and the number of threads change rounding alone; an interrupted run ends in the same
// bits.
TEST(GradientIndex, DoesNotDependOnBlocksAndThreads) {
  for (const IndexCurvature kind : {IndexCurvature::Raw, IndexCurvature::Kfac, IndexCurvature::Ekfac}) {
    Indexing indexing{index_texts(), {.rank_out = 3, .rank_in = 3, .curvature = kind, .rows = RowType::Float64}};
    const at::Tensor whole = indexing.scores_of_new();
    indexing.rows_per_block = 5;
    const auto error = [&] { return largest_difference(indexing.scores_of_new(), whole) / largest(whole); };
    EXPECT_LT(error(), 1e-9) << to_string(kind);
    const ScopedTwin twin("attribute.curvature_of_the_last_block");
    EXPECT_GT(error(), 1e-3) << to_string(kind);
  }
  for (const IndexCurvature kind : {IndexCurvature::Raw, IndexCurvature::Kfac, IndexCurvature::Ekfac}) {
    Indexing indexing{index_texts(40), {.rank_out = 3, .rank_in = 3, .curvature = kind, .rows = RowType::Float64}};
    indexing.memory_bytes = 1;  // several batches
    const auto scores_with = [&](int threads) {
      const ScopedThreads some(threads);
      return indexing.scores_of_new();
    };
    const at::Tensor of_one = scores_with(1);
    const auto error = [&] { return largest_difference(scores_with(2), of_one) / largest(of_one); };
    EXPECT_LT(error(), 1e-9) << to_string(kind);
    const ScopedTwin twin("nn.batches_of_a_second_thread_lost");
    EXPECT_GT(error(), 1e-3) << to_string(kind);
  }
}

TEST(GradientIndex, CountsRowsThroughItsBlocks) {
  Indexing indexing{index_texts(), {.rank_out = 3, .rank_in = 3, .rows = RowType::Float64}, /*rows_per_block=*/5};
  const TemporaryFolder folder;
  indexing.build(folder / "index");
  const GradientIndex index(folder / "index");
  ASSERT_EQ(index.blocks().size(), 3u);
  const auto agree = [&] {
    const ScanResult found = indexing.scorer(index)->scan(4, 4, false, {}, silent_progress());
    bool all = true;
    for (int64_t q = 0; q < 4; ++q) {
      for (int64_t i = 0; i < 4; ++i) {
        all = all && found.whole[q][found.top.rows[q][i].item<int64_t>()].item<double>() ==
                         found.top.scores[q][i].item<double>();
        all = all && found.whole[q][found.bottom.rows[q][i].item<int64_t>()].item<double>() ==
                         found.bottom.scores[q][i].item<double>();
      }
      all = all && found.top.scores[q][0].item<double>() == found.whole[q].max().item<double>();
      all = all && found.bottom.scores[q][0].item<double>() == found.whole[q].min().item<double>();
    }
    return all;
  };
  EXPECT_TRUE(agree());
  const ScopedTwin twin("attribute.rows_counted_by_block");
  EXPECT_FALSE(agree());
}

TEST(GradientIndex, StoppedAnywhereEndsInTheSameBits) {
  for (const IndexCurvature kind : {IndexCurvature::Raw, IndexCurvature::Ekfac}) {
    Indexing indexing{{toy_llama(1, at::kFloat), toy_texts(12, 2, 11, 1), toy_texts(4, 3, 8, 2)},
                      {.rank_out = 3, .rank_in = 3, .curvature = kind, .rows = RowType::Int8},
                      /*rows_per_block=*/4};
    const TemporaryFolder folder;
    indexing.build(folder / "straight");
    const at::Tensor expected = indexing.scores(folder / "straight");
    int stops = 0;
    for (int after = 0; after < 8; ++after) {
      Stopping stopping(after);
      const std::string name = folder / ("stopped" + std::to_string(after));
      const auto error = error_of([&] { indexing.build(name, stopping); });
      if (error) {
        ++stops;
        EXPECT_THAT(error_of([&] { GradientIndex index(name); }), Refusal(ErrorKind::Data, "must be finished"));
        const IndexOutcome outcome = indexing.build(name);
        EXPECT_EQ(outcome.reused, std::min<int64_t>(12, 4 * std::max(0, after))) << after;
      }
      EXPECT_TRUE(indexing.scores(name).equal(expected)) << after;
    }
    EXPECT_GE(stops, 3);
    if (kind != IndexCurvature::Raw) continue;  // the others sum from the disk in the end
    Stopping stopping(2);
    EXPECT_TRUE(error_of([&] { indexing.build(folder / "twin", stopping); }));
    const ScopedTwin twin("attribute.resumed_without_what_was_there");
    EXPECT_GT(indexing.build(folder / "twin").reused, 0);
    EXPECT_FALSE(indexing.scores(folder / "twin").equal(expected));
  }
}

TEST(GradientIndex, TakesFurtherDocumentsAsIfTheyHadBeenThere) {
  for (const IndexCurvature kind : {IndexCurvature::Raw, IndexCurvature::Kfac, IndexCurvature::Ekfac}) {
    Indexing indexing{index_texts(12),
                      {.rank_out = 3, .rank_in = 3, .curvature = kind, .rows = RowType::Float64},
                      /*rows_per_block=*/4};
    const at::Tensor expected = indexing.scores_of_new();
    const data::Dataset all = indexing.scoring.train;
    const std::vector<int64_t> first{0, 1, 2, 3, 4}, rest{5, 6, 7, 8, 9, 10, 11};
    const TemporaryFolder folder;
    indexing.scoring.train = data::subset(all, first);
    indexing.build(folder / "index");
    IndexedDocuments more{.dataset = data::subset(all, rest)};
    data::assign_ids(more.dataset);
    IndexRequest request = indexing.request(more);
    request.append = true;
    const IndexOutcome outcome = build_index(folder / "index", request, silent_progress());
    EXPECT_EQ(outcome.added, 7);
    const GradientIndex index(folder / "index");
    EXPECT_EQ(index.rows(), 12);
    EXPECT_EQ(index.parts(), 2);
    EXPECT_EQ(index.documents().dataset.content_hash(), all.content_hash());
    const auto error = [&] {
      return largest_difference(indexing.scores(folder / "index"), expected) / largest(expected);
    };
    EXPECT_LT(error(), 1e-9) << to_string(kind);
    EXPECT_TRUE(build_index(folder / "index", request, silent_progress()).was_there) << "the same command again";

    indexing.scoring.train = data::subset(all, first);
    indexing.build(folder / "twin");
    const ScopedTwin twin("attribute.appended_without_what_was_there");
    build_index(folder / "twin", request, silent_progress());
    EXPECT_GT(largest_difference(indexing.scores(folder / "twin"), expected), 1e-3 * largest(expected))
        << to_string(kind);
  }
}

TEST(GradientIndex, CountsATextThatItHoldsAlready) {
  Indexing indexing{index_texts(4), {.rank_out = 2, .rank_in = 2}};
  const TemporaryFolder folder;
  indexing.build(folder / "index");
  IndexedDocuments more{.dataset = indexing.scoring.train};
  IndexRequest request = indexing.request(more);
  request.append = true;
  EXPECT_EQ(build_index(folder / "index", request, silent_progress()).duplicates, 4);
  const data::Dataset all = GradientIndex(folder / "index").documents().dataset;
  std::set<data::ExampleId> ids;
  for (const data::ExampleView example : all.examples) ids.insert(example.id);
  EXPECT_EQ(ids.size(), 8u);
}

// ---- what is refused ----

class MixedUp : public testing::Test {
 protected:
  MixedUp() { indexing_.build(path_); }

  std::optional<Error> opening() const {
    return error_of([&] {
      const GradientIndex index(path_);
      index.require_made_with("model", "tokenizer");
      index.projection(indexing_.scoring.model.architecture());
      index.documents();
      for (const auto& block : index.blocks()) index.rows_of(block, at::kFloat);
    });
  }
  std::string file(const std::string& part) const {
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      if (entry.path().filename().string().starts_with(part)) return entry.path().string();
    return "";
  }
  void flip(const std::string& path, size_t from_end) const {
    std::string bytes = read_bytes(path);
    bytes[bytes.size() - from_end] = static_cast<char>(bytes[bytes.size() - from_end] ^ 1);
    std::ofstream(path, std::ios::binary) << bytes;
  }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "index";
  Indexing indexing_{index_texts(6), {.rank_out = 2, .rank_in = 2}, /*rows_per_block=*/3};
};

TEST_F(MixedUp, AnotherModelOrTokenizer) {
  EXPECT_FALSE(opening());
  const GradientIndex index(path_);
  const auto with = [&](const char* model, const char* tokenizer) {
    return error_of([&] { index.require_made_with(model, tokenizer); });
  };
  EXPECT_THAT(with("other", "tokenizer"), Refusal(ErrorKind::Data, "the same model as the question"));
  EXPECT_THAT(with("model", "other"), Refusal(ErrorKind::Data, "the same tokenizer as the question"));
  const ScopedTwin twin("attribute.index_of_another_model");
  EXPECT_FALSE(with("other", "tokenizer"));
}

TEST_F(MixedUp, AModelOfAnotherShape) {
  const nn::Model other = toy_mlp({});
  EXPECT_THAT(error_of([&] { GradientIndex(path_).projection(other.architecture()); }),
              Refusal(ErrorKind::Data, "the model has no \"blocks.0.attn.q\""));
}

TEST_F(MixedUp, AnotherProjectionSeedOrTypeIsNotContinued) {
  const auto with = [&](const std::function<void(Indexing&)>& change) {
    Indexing other = indexing_;
    change(other);
    return error_of([&] { other.build(path_); });
  };
  EXPECT_THAT(with([](Indexing& x) { x.settings.seed = 5; }),
              Refusal(ErrorKind::Data, "\"projection.seed\" was 0 and is now 5"));
  EXPECT_THAT(with([](Indexing& x) { x.settings.projection = ProjectionKind::Principal; }),
              Refusal(ErrorKind::Data, "\"projection.kind\" was \"random\" and is now \"pca\""));
  EXPECT_THAT(with([](Indexing& x) { x.settings.rows = RowType::Int8; }), Refusal(ErrorKind::Data, "rows.type"));
  EXPECT_THAT(with([](Indexing& x) { x.settings.curvature = IndexCurvature::Kfac; }),
              Refusal(ErrorKind::Data, "curvature"));
  EXPECT_THAT(with([](Indexing& x) { x.scoring.train = toy_texts(6, 2, 11, 77); }),
              Refusal(ErrorKind::Data, "add --append to put them behind"));
  IndexedDocuments more{.dataset = toy_texts(3, 2, 9, 5)};
  IndexRequest append = indexing_.request(more);
  append.append = true;
  append.model_hash = "other";
  EXPECT_THAT(error_of([&] { build_index(path_, append, silent_progress()); }),
              Refusal(ErrorKind::Data, "\"model\" was \"model\" and is now \"other\""));
  EXPECT_FALSE(opening()) << "what was refused changed nothing";
}

TEST_F(MixedUp, AnotherVersionOrAnotherKind) {
  EXPECT_THAT(error_of([&] { io::Store::open(path_, {.name = "gradient-index", .version = 2}); }),
              Refusal(ErrorKind::Data, "it has version 1"));
  EXPECT_THAT(error_of([&] { io::Store::open(path_, {.name = "workspace", .version = 1}); }),
              Refusal(ErrorKind::Data, "it holds \"gradient-index\""));
  EXPECT_THAT(error_of([&] { GradientIndex index(folder_ / "nothing"); }), Refusal(ErrorKind::Data, "nothing"));
}

TEST_F(MixedUp, AFlippedByteWhereverItIs) {
  for (const char* part : {"rows.0000.00001", "documents.0000", "projection"}) {
    const std::string path = file(part);
    ASSERT_NE(path, "") << part;
    flip(path, 5);
    EXPECT_THAT(opening(), Refusal(ErrorKind::Data, "must fit the checksum in the manifest")) << part;
    const ScopedTwin twin("io.store_block_checksum_ignored");
    EXPECT_FALSE(opening()) << part;
    flip(path, 5);
  }
  EXPECT_FALSE(opening());
  flip(path_ + "/manifest.json", 40);
  EXPECT_THAT(opening(), Refusal(ErrorKind::Data, "it is damaged"));
}

TEST_F(MixedUp, AFileThatIsCutOffOrGone) {
  const std::string path = file("rows.0000.00000");
  const auto size = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, size - 8);
  EXPECT_THAT(opening(), Refusal(ErrorKind::Data, "missing or of another size"));
  std::filesystem::remove(path);
  EXPECT_THAT(opening(), Refusal(ErrorKind::Data, "missing or of another size"));
  const IndexOutcome outcome = indexing_.build(path_);  // made again, and nothing else
  EXPECT_EQ(outcome.reused, 3);
  EXPECT_FALSE(opening());
}

}  // namespace
}  // namespace assay::attribute
