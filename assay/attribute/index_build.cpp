#include "assay/attribute/index_build.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <utility>

#include "assay/attribute/factors.h"
#include "assay/attribute/index_curvature.h"
#include "assay/core/error.h"
#include "assay/core/plan.h"
#include "assay/core/twin.h"
#include "assay/data/occurrence_ids.h"
#include "assay/io/source.h"
#include "assay/io/tensor.h"

namespace assay::attribute {
namespace {

constexpr int64_t kBlocks = 64;
constexpr int64_t kSmallestBlock = int64_t{4} << 20, kLargestBlock = int64_t{1} << 30;
constexpr int64_t kLeastBlockPositions = 16384;  // several batches, which a narrow model walks at a time

class Builder {
 public:
  Builder(const std::string& folder, const IndexRequest& request, Progress& progress)
      : request_(request),
        progress_(progress),
        about_(about_of(request)),
        store_(open_store(folder, request, about_)),
        dtype_(request.model.dtype()) {}

  IndexOutcome build() {
    choose_part();
    if (outcome_.was_there) return outcome_;
    if (store_.finished())
      store_.reopen(ASSAY_TWIN("attribute.append_closes_what_was_there") ? io::Json() : kept_parts(finished_));
    curvature::Projection projection = projection_of_store();
    put_documents();
    RawSums sums(about_, first_group(), dtype_);
    log_rows(projection, sums);
    put_curvature(sums);
    finish();
    return outcome_;
  }

 private:
  static io::Store open_store(const std::string& folder, const IndexRequest& request, const IndexAbout& about) {
    std::error_code unknown;
    if (request.append && !std::filesystem::exists(folder + "/manifest.json", unknown)) {
      throw Error(ErrorKind::Data, "appending to the gradient index " + io::quote(folder) +
                                       ": it must be there, but there is none; leave --append out to make it");
    }
    return io::Store::create_or_resume(folder, index_kind(), about.to_json(),
                                       request.restart ? io::IfDifferent::Restart : io::IfDifferent::Refuse);
  }

  [[noreturn]] void refuse(const std::string& sentence) const { io::Source{.name = store_.folder()}.refuse(sentence); }

  /// Which part these documents are: a new one, or one that an earlier run has begun.
  void choose_part() {
    finished_ = finished_parts(store_);
    if (request_.append) {
      choose_appended_part();
    } else if (!is_part(0) && parts_of(store_) > 0) {
      if (!request_.restart) {
        refuse(
            "an index is continued with the documents that it was begun with, but these are others; add --append to "
            "put them behind those, --force to throw those away, or name another folder");
      }
      finished_ = 0;
      store_.reopen();
      store_.remove(store_.blocks());
    }
    outcome_.was_there = finished_ > part_;
    outcome_.added = request_.documents.size();
  }

  void choose_appended_part() {
    if (finished_ == 0)
      refuse("an index must be finished before documents are appended, but it is not; run the command that began it");
    part_ = finished_;
    if (is_part(part_)) return;  // a run that was stopped has begun it
    if (finished_ > 1 && is_part(finished_ - 1)) {
      part_ = finished_ - 1;
      return;
    }
    drop_unfinished();
    is_part(part_);
  }

  /// Of an append that was stopped, in one step.
  void drop_unfinished() {
    if (store_.finished() || ASSAY_TWIN("attribute.unfinished_append_stays")) return;
    const int64_t documents = unfinished_documents(store_);
    store_.remove(blocks_beside(finished_));
    outcome_.dropped = documents;
    if (documents > 0) progress_.note(dropped_sentence(documents));
  }

  /// All but those of the first parts and of the curvature over them.
  std::vector<std::string> blocks_beside(int64_t parts) const {
    std::vector<std::string> blocks = store_.blocks();
    const std::vector<std::string> of_parts = blocks_of_parts(store_, about_, parts);
    std::erase_if(blocks, [&](const std::string& block) { return std::ranges::binary_search(of_parts, block); });
    return blocks;
  }

  /// Parts that stand behind this one were made before a block of it was lost: each waits for its own append again.
  void finish() {
    if (parts_of(store_) > part_ + 1) return store_.reopen(kept_parts(part_ + 1));
    store_.finish(nullptr, blocks_beside(part_ + 1));
  }

  /// Whether the request's documents are those of this part; numbers them behind the parts before it either way, so
  /// that a text that is there already gets another id.
  bool is_part(int64_t part) {
    data::OccurrenceIds occurrences;
    const IndexedDocuments before = read_documents(store_, part);
    first_row_ = before.size();
    for (const data::ExampleView example : before.dataset.examples) occurrences.next(data::content_of(example));
    ids_.clear();
    outcome_.duplicates = 0;
    for (const data::ExampleView example : request_.documents.dataset.examples) {
      ids_.push_back(occurrences.next(data::content_of(example)));
      if (ids_.back() != example.id) ++outcome_.duplicates;
    }
    return store_.has(documents_block(part)) && has_ids(part);
  }

  /// Documents of an unfinished append that are damaged are nobody's: they make way.
  bool has_ids(int64_t part) {
    try {
      return document_ids(store_, part) == ids_;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Data || part < finished_) throw;
      progress_.note(fmt::format("{}; it is made again", io::without_advice(error.what())));
      return false;
    }
  }

  int64_t rows() const { return first_row_ + request_.documents.size(); }

  curvature::Projection projection_of_store() {
    const nn::Architecture& architecture = request_.model.architecture();
    if (!store_.has(kProjectionBlock)) put_projection();
    return read_projection(store_, about_, architecture).to(dtype_);
  }

  void put_projection() {
    const nn::Architecture& architecture = request_.model.architecture();
    const IndexSettings& settings = request_.settings;
    const curvature::Ranks ranks{settings.rank_out, settings.rank_in};
    const curvature::Projection made =
        settings.projection == ProjectionKind::Random
            ? curvature::random_projection(architecture, request_.layers, ranks, settings.seed, dtype_)
            : curvature::principal_projection(empirical_bases(inputs_of(request_), progress_), ranks);
    io::Arrays arrays;
    for (size_t place = 0; place < request_.layers.size(); ++place) {
      const curvature::LayerProjection& sides = made.of(request_.layers[place]);
      arrays["output." + about_.layers[place].name] = io::from_tensor(sides.output);
      arrays["input." + about_.layers[place].name] = io::from_tensor(sides.input);
    }
    store_.write(kProjectionBlock, arrays);
  }

  void put_documents() {
    if (!store_.has(documents_block(part_))) write_documents(store_, part_, request_.documents, ids_);
  }

  std::vector<size_t> first_group() const {
    const auto groups = groups_of_sums();
    return groups.empty() ? std::vector<size_t>{} : groups.front();
  }
  std::vector<std::vector<size_t>> groups_of_sums() const {
    return sum_groups(about_, layers_with_sums(about_, rows()), dtype_, request_.memory_bytes);
  }

  /// Blocks of earlier parts, in order.
  std::vector<std::string> earlier_blocks() const {
    std::vector<std::string> names;
    if (ASSAY_TWIN("attribute.appended_without_what_was_there")) return names;
    for (int64_t part = 0; part < part_; ++part)
      for (int64_t place = 0; store_.has(rows_block(part, place)); ++place) names.push_back(rows_block(part, place));
    return names;
  }

  at::Tensor rows_in(const std::string& block) const {
    return decode_rows(read_rows(store_, block, about_), about_.layout(), dtype_);
  }

  void log_rows(curvature::Projection& projection, RawSums& sums) {
    for (const std::string& block : earlier_blocks())
      if (!sums.layers().empty()) sums.add(rows_in(block));
    const data::Dataset& added = request_.documents.dataset;
    const int64_t rows_each =
        request_.rows_per_block > 0 ? request_.rows_per_block : planned_rows_per_block(about_, added);
    progress_.begin("projected gradients", added.tokens() > 0 ? added.tokens() : added.size(),
                    added.tokens() > 0 ? "tokens" : "examples");
    int64_t place = 0;
    for (int64_t begin = 0; begin < added.size(); begin += rows_each, ++place) {
      const int64_t count = std::min(rows_each, added.size() - begin);
      const std::string block = rows_block(part_, place);
      row_blocks_.push_back(block);
      if (!holds(block, begin, count)) {
        log_block(projection, block, begin, count);
      } else {
        outcome_.reused += count;
        progress_.advance(tokens_of(begin, count));
        if (ASSAY_TWIN("attribute.resumed_without_what_was_there")) continue;
      }
      if (!sums.layers().empty()) sums.add(rows_in(block));
    }
    for (; store_.has(rows_block(part_, place)); ++place) store_.remove(rows_block(part_, place));  // of another cut
    progress_.end();
  }

  int64_t tokens_of(int64_t begin, int64_t count) const {
    int64_t tokens = 0;
    for (int64_t i = begin; i < begin + count; ++i) tokens += request_.documents.dataset.units(i);
    return tokens;
  }

  std::vector<uint64_t> ids_in(int64_t begin, int64_t count) const {
    return {ids_.begin() + begin, ids_.begin() + begin + count};
  }

  /// Whether an earlier run has made these rows; a block that is damaged or of other rows is dropped.
  bool holds(const std::string& block, int64_t begin, int64_t count) {
    if (!store_.has(block)) return false;
    try {
      const io::Arrays arrays = store_.read(block);
      const auto ids = io::values<uint64_t>(io::array_named(arrays, "ids", store_.folder(), ErrorKind::Data));
      if (std::ranges::equal(ids, ids_in(begin, count))) return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Data) throw;
      progress_.note(fmt::format("{}; it is made again", io::without_advice(error.what())));
    }
    store_.remove(block);
    return false;
  }

  void log_block(curvature::Projection& projection, const std::string& block, int64_t begin, int64_t count) {
    std::vector<int64_t> rows(static_cast<size_t>(count));
    std::iota(rows.begin(), rows.end(), begin);
    const bool with_sums = about_.settings.curvature != IndexCurvature::Raw;
    ProjectedRows projected = projected_rows(request_.model, data::subset(request_.documents.dataset, rows), nn::loss(),
                                             projection, with_sums, request_.memory_bytes, "document",
                                             first_row_ + begin, [&](int64_t tokens) { progress_.advance(tokens); });
    const StoredRows stored = encode_rows(projected.rows, about_.settings.rows, about_.layout());
    io::Arrays arrays{{"rows", io::from_tensor(stored.numbers)},
                      {"ids", io::make_array({count}, ids_in(begin, count))}};
    if (stored.scales.defined()) arrays["scales"] = io::from_tensor(stored.scales);
    if (with_sums) put_pair_sums(arrays, projected.sums, about_, request_.layers);
    store_.write(block, arrays);
  }

  void put_curvature(RawSums& first) {
    std::vector<std::string> blocks = earlier_blocks();
    blocks.insert(blocks.end(), row_blocks_.begin(), row_blocks_.end());
    if (about_.settings.curvature != IndexCurvature::Raw) return put_kronecker(blocks);
    const auto groups = groups_of_sums();
    for (size_t g = 0; g < groups.size(); ++g) {
      RawSums further(about_, g == 0 ? std::vector<size_t>{} : groups[g], dtype_);
      if (g > 0) walk_rows(blocks, [&](const at::Tensor& rows) { further.add(rows); });
      const RawSums& sums = g == 0 ? first : further;
      for (const size_t layer : sums.layers())
        store_.write(curvature_block(IndexCurvature::Raw, about_.layers[layer].name, part_ + 1), sums.finish(layer));
    }
  }

  template <typename Step>
  void walk_rows(const std::vector<std::string>& blocks, const Step& step) {
    progress_.begin("curvature", std::ssize(blocks), "blocks");
    for (const std::string& block : blocks) {
      step(rows_in(block));
      progress_.advance(1);
    }
    progress_.end();
  }

  void put_kronecker(const std::vector<std::string>& blocks) {
    std::vector<io::Arrays> sums;
    for (const std::string& block : blocks) sums.push_back(store_.read(block));
    std::vector<curvature::LayerBasis> bases;
    std::vector<at::Tensor> eigenvalues;
    for (size_t layer = 0; layer < about_.layers.size(); ++layer) {
      bases.push_back(pair_basis(about_, layer, sums, rows()));
      eigenvalues.push_back(bases.back().kronecker_eigenvalues());
    }
    if (about_.settings.curvature == IndexCurvature::Ekfac) {
      for (at::Tensor& values : eigenvalues) values.zero_();
      walk_rows(blocks, [&](const at::Tensor& rows) {
        for (size_t layer = 0; layer < bases.size(); ++layer) {
          const IndexAbout::Layer& each = about_.layers[layer];
          eigenvalues[layer].add_(rotated_squares(rows.narrow(1, each.offset, each.shape.size()), bases[layer], each));
        }
      });
      for (at::Tensor& values : eigenvalues) values.div_(static_cast<double>(rows()));
    }
    for (size_t layer = 0; layer < bases.size(); ++layer) {
      store_.write(curvature_block(about_.settings.curvature, about_.layers[layer].name, part_ + 1),
                   {{"output_basis", io::from_tensor(bases[layer].output.vectors)},
                    {"input_basis", io::from_tensor(bases[layer].input.vectors)},
                    {"eigenvalues", io::from_tensor(eigenvalues[layer])}});
    }
  }

  const IndexRequest& request_;
  Progress& progress_;
  IndexAbout about_;
  io::Store store_;
  at::ScalarType dtype_;
  int64_t finished_ = 0, part_ = 0, first_row_ = 0;  // parts, part, row
  std::vector<data::ExampleId> ids_;                 // of the request's documents, numbered behind those before
  std::vector<std::string> row_blocks_;
  IndexOutcome outcome_;
};

}  // namespace

Inputs inputs_of(const IndexRequest& request) {
  return {.model = request.model,
          .train = {request.documents.dataset, request.documents.texts},
          .queries = {request.documents.dataset},  // an index asks nothing
          .measurement = nn::loss(),
          .layers = request.layers,
          .seed = request.settings.seed,
          .memory_bytes = request.memory_bytes,
          .model_hash = request.model_hash,
          .cache_folder = request.cache_folder};
}

IndexAbout about_of(const IndexRequest& request) {
  const nn::Architecture& architecture = request.model.architecture();
  IndexAbout about{.model_hash = request.model_hash,
                   .tokenizer_hash = request.tokenizer_hash,
                   .precision = nn::precision_name(request.model),
                   .context = request.context,
                   .long_texts = request.long_texts,
                   .adds_bos = request.documents.adds_bos,
                   .settings = request.settings,
                   .layers = {}};
  if (request.settings.projection == ProjectionKind::Principal) about.settings.seed = 0;  // nothing is drawn
  int64_t offset = 0;
  for (const nn::LayerId layer : request.layers) {
    const curvature::LayerShape shape =
        curvature::projected_shape(architecture, layer, {request.settings.rank_out, request.settings.rank_in});
    about.layers.push_back({.name = curvature::layer_at(architecture, layer).name,
                            .full = curvature::shape_of(architecture, layer),
                            .shape = shape,
                            .offset = offset});
    offset += shape.size();
  }
  return about;
}

int64_t planned_rows_per_block(const IndexAbout& about, const data::Dataset& documents) {
  const int64_t row_bytes = about.columns() * bytes_of_number(about.settings.rows);
  const int64_t bytes = std::clamp(row_bytes * documents.size() / kBlocks, kSmallestBlock, kLargestBlock);
  const int64_t positions = std::max<int64_t>(1, documents.tokens() / std::max<int64_t>(1, documents.size()));
  return std::max({int64_t{1}, bytes / row_bytes, kLeastBlockPositions / positions});
}

std::string dropped_sentence(int64_t documents) {
  return fmt::format("An append of {} was not finished and makes way for this one: append {} again, too.",
                     format_counted(documents, "document"), documents == 1 ? "it" : "them");
}

IndexOutcome build_index(const std::string& folder, const IndexRequest& request, Progress& progress) {
  ASSAY_ASSERT(request.documents.size() > 0 && !request.layers.empty());
  return Builder(folder, request, progress).build();
}

}  // namespace assay::attribute
