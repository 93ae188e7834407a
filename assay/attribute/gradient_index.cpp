#include "assay/attribute/gradient_index.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/core/plan.h"
#include "assay/core/twin.h"
#include "assay/curvature/covariance.h"
#include "assay/curvature/dense.h"
#include "assay/curvature/factored_curvature.h"
#include "assay/io/tensor.h"
#include "assay/kernel/product_sums.h"

namespace assay::attribute {
namespace {

constexpr const char* kRemake = "make the index again";

/// The part that a block of documents or rows belongs to; -1 of other blocks.
int64_t part_in(const std::string& block) {
  for (const std::string_view kind : {"documents.", "contents.", "rows."}) {
    if (!block.starts_with(kind)) continue;
    int64_t part = -1;
    std::from_chars(block.data() + kind.size(), block.data() + block.size(), part);
    return part;
  }
  return -1;
}

io::Source source_of(const std::string& folder) {
  return {.name = folder, .kind = ErrorKind::Data, .first_line = 1, .advice = kRemake};
}

int64_t count_in(const io::Arrays& arrays, const std::string& source) {
  const io::Array& numbers = io::array_named(arrays, "rows", source, ErrorKind::Data);
  if (numbers.shape.size() != 2) source_of(source).refuse("\"rows\" must have two dimensions, but it has not");
  return numbers.shape[0];
}

}  // namespace

const io::StoreKind& index_kind() {
  static const io::StoreKind kind{.name = "gradient-index", .version = 1};
  return kind;
}

std::string rows_block(int64_t part, int64_t block) {
  return fmt::format("rows.{:04}.{:05}", part, block);
}
std::string curvature_block(IndexCurvature kind, const std::string& layer, int64_t parts) {
  // A name of its own for every number of parts: the curvature that questions are answered by is never written over.
  if (parts == 1 || ASSAY_TWIN("attribute.append_over_the_curvature"))
    return fmt::format("{}.{}", to_string(kind), layer);
  return fmt::format("{}.{:04}.{}", to_string(kind), parts, layer);
}

int64_t finished_parts(const io::Store& store) {
  const int64_t there = parts_of(store);
  if (store.finished() || ASSAY_TWIN("attribute.unfinished_append_is_read")) return there;
  if (store.kept().is_null()) return 0;
  const io::JsonObject kept(store.kept(), source_of(store.folder()));
  if (kept.positive("parts") > there) kept.refuse("parts", fmt::format("at most the {} that are there", there));
  return kept.positive("parts");
}

io::Json kept_parts(int64_t parts) {
  return {{"parts", parts}};
}

std::vector<std::string> blocks_of_parts(const io::Store& store, const IndexAbout& about, int64_t parts) {
  std::set<std::string> curvature;
  for (const IndexAbout::Layer& layer : about.layers)
    curvature.insert(curvature_block(about.settings.curvature, layer.name, parts));
  std::vector<std::string> blocks;
  for (const std::string& block : store.blocks()) {
    const int64_t part = part_in(block);
    if (block == kProjectionBlock || (part >= 0 && part < parts) || curvature.contains(block)) blocks.push_back(block);
  }
  return blocks;
}

int64_t unfinished_documents(const io::Store& store) {
  int64_t documents = 0;
  for (int64_t part = finished_parts(store); store.has(documents_block(part)); ++part) {
    // Counted without a look at the bytes: damage in what is not used must not stand in the way of what is.
    const io::Arrays arrays = store.map(documents_block(part));
    documents += io::array_named(arrays, "ids", store.folder(), ErrorKind::Data).size();
  }
  return documents;
}

StoredRows read_rows(const io::Store& store, const std::string& block, const IndexAbout& about) {
  const io::Arrays arrays = store.read(block);
  StoredRows stored{io::to_tensor(io::array_named(arrays, "rows", store.folder(), ErrorKind::Data))};
  if (ASSAY_TWIN("attribute.rows_read_by_columns"))
    stored.numbers = stored.numbers.t().contiguous().view(stored.numbers.sizes());
  const bool has_scales = bytes_of_scale(about.settings.rows) > 0;
  if (has_scales) stored.scales = io::to_tensor(io::array_named(arrays, "scales", store.folder(), ErrorKind::Data));
  const bool fits =
      stored.numbers.dim() == 2 && stored.numbers.size(1) == about.columns() &&
      (!has_scales || stored.scales.sizes() == at::IntArrayRef{stored.numbers.size(0), std::ssize(about.layers)});
  if (fits) return stored;
  source_of(store.folder())
      .refuse(fmt::format("block \"{}\" must have {} columns, but it has others", block, about.columns()));
}

RowLayout IndexAbout::layout() const {
  RowLayout layout;
  for (const Layer& layer : layers) layout.push_back(layer.offset);
  layout.push_back(layers.empty() ? 0 : layers.back().offset + layers.back().shape.size());
  return layout;
}

io::Json IndexAbout::to_json() const {
  io::Json all = io::Json::array();
  for (const Layer& layer : layers) {
    all.push_back({{"name", layer.name},
                   {"outputs", layer.full.rows},
                   {"inputs", layer.full.columns},
                   {"rank_out", layer.shape.rows},
                   {"rank_in", layer.shape.columns},
                   {"offset", layer.offset}});
  }
  return {{"model", model_hash},
          {"tokenizer", tokenizer_hash},
          {"precision", precision},
          {"reading", {{"context", context}, {"long", long_texts}, {"bos", adds_bos}}},
          {"loss", "summed over the tokens of a document, in nats"},
          {"bias", "projected with the weights: a 1 is appended to the input"},
          {"projection",
           {{"kind", to_string(settings.projection)},
            {"rank_out", settings.rank_out},
            {"rank_in", settings.rank_in},
            {"seed", settings.seed}}},
          {"curvature", to_string(settings.curvature)},
          {"rows", {{"type", to_string(settings.rows)}, {"columns", columns()}, {"order", "little-endian"}}},
          {"layers", all}};
}

IndexAbout IndexAbout::from_json(const io::Json& json, const io::Source& source) {
  const io::JsonObject object(json, source);
  IndexAbout about;
  about.model_hash = object.text("model");
  about.tokenizer_hash = object.text("tokenizer");
  about.precision = object.text("precision");
  about.context = object.object("reading").integer("context", 0);
  about.long_texts = object.object("reading").text("long");
  about.adds_bos = object.object("reading").boolean("bos");
  const io::JsonObject projection = object.object("projection");
  about.settings = {.projection = projection_named(projection.text("kind")),
                    .rank_out = projection.positive("rank_out"),
                    .rank_in = projection.positive("rank_in"),
                    .seed = static_cast<uint64_t>(projection.integer("seed", 0)),
                    .curvature = curvature_named(object.text("curvature")),
                    .rows = row_type_named(object.object("rows").text("type"))};
  int64_t offset = 0;
  for (const io::JsonObject& layer : object.objects("layers")) {
    about.layers.push_back({.name = layer.text("name"),
                            .full = {layer.positive("outputs"), layer.positive("inputs")},
                            .shape = {layer.positive("rank_out"), layer.positive("rank_in")},
                            .offset = layer.integer("offset", 0)});
    if (about.layers.back().offset != offset) layer.refuse("offset", "the end of the layer before");
    offset += about.layers.back().shape.size();
  }
  if (about.layers.empty() || object.object("rows").integer("columns") != offset)
    object.object("rows").refuse("columns", "the sum over the layers, of which there must be one");
  return about;
}

GradientIndex::GradientIndex(const std::string& folder)
    : store_(io::Store::open(folder, index_kind())), about_(IndexAbout::from_json(store_.about(), source_of(folder))) {
  const int64_t finished = finished_parts(store_);
  for (; parts_ < finished; ++parts_) {
    for (int64_t place = 0; store_.has(rows_block(parts_, place)); ++place) {
      RowBlock block{.name = rows_block(parts_, place), .first = rows(), .count = 0};
      block.count = count_in(store_.map(block.name), folder);
      blocks_.push_back(block);
    }
  }
  if (blocks_.empty()) source_of(folder).refuse("an index must hold rows, but it holds none");
}

std::string GradientIndex::hash() const {
  return store_.hash_with(blocks_of_parts(store_, about_, parts_));
}

std::string GradientIndex::unfinished_warning() const {
  if (store_.finished()) return {};
  const int64_t waiting = unfinished_documents(store_);
  return fmt::format(
      "An append to the index was not finished: {} not used, and everything here is of the {} before; run that append "
      "again to finish it, or append other documents, which drops it.",
      waiting == 0 ? "its documents are" : format_counted(waiting, "document") + (waiting == 1 ? " is" : " are"),
      format_counted(rows(), "document"));
}

void GradientIndex::require_made_with(const std::string& model_hash, const std::string& tokenizer_hash) const {
  const auto require = [&](const char* what, const std::string& made_with, const std::string& given) {
    if (made_with == given || ASSAY_TWIN("attribute.index_of_another_model")) return;
    source_of(folder()).refuse(
        fmt::format("its rows must come from the same {0} as the question, but they were made with the {0} of hash {1} "
                    "and this one "
                    "has {2}; name that {0}, or make an index with this one",
                    what, made_with, given));
  };
  require("model", about_.model_hash, model_hash);
  require("tokenizer", about_.tokenizer_hash, tokenizer_hash);
}

std::vector<nn::LayerId> indexed_layers(const IndexAbout& about, const nn::Architecture& architecture,
                                        const std::string& folder) {
  std::vector<std::string> known;
  for (const nn::Layer& layer : architecture.layers()) known.push_back(layer.name);
  std::vector<nn::LayerId> ids;
  for (const IndexAbout::Layer& layer : about.layers) {
    const auto found = std::ranges::find(known, layer.name);
    if (found == known.end()) {
      source_of(folder).refuse(fmt::format("its layers must be the model's, but the model has no \"{}\"{}; {}",
                                           layer.name, closest_clause(layer.name, known), kRemake));
    }
    ids.push_back(found - known.begin());
    const curvature::LayerShape full = curvature::shape_of(architecture, ids.back());
    if (full.rows == layer.full.rows && full.columns == layer.full.columns) continue;
    source_of(folder).refuse(
        fmt::format("layer \"{}\" must have the model's shape, {} by {}, but in the index it has "
                    "{} by {}; {}",
                    layer.name, full.rows, full.columns, layer.full.rows, layer.full.columns, kRemake));
  }
  return ids;
}

curvature::Projection read_projection(const io::Store& store, const IndexAbout& about,
                                      const nn::Architecture& architecture) {
  const std::string& folder = store.folder();
  const std::vector<nn::LayerId> ids = indexed_layers(about, architecture, folder);
  const io::Arrays arrays = store.read(kProjectionBlock);
  std::map<std::string, at::Tensor> inputs;  // shared ones are there once
  std::map<nn::LayerId, curvature::LayerProjection> layers;
  for (size_t place = 0; place < ids.size(); ++place) {
    const IndexAbout::Layer& layer = about.layers[place];
    const auto tensor = [&](const std::string& side, int64_t from, int64_t to) {
      const std::string name = side + "." + layer.name;
      const at::Tensor matrix = io::to_tensor(io::array_named(arrays, name, folder, ErrorKind::Data));
      if (matrix.sizes() == at::IntArrayRef{from, to}) return matrix;
      source_of(folder).refuse(fmt::format("the projection \"{}\" must be {} by {}, but it is not", name, from, to));
    };
    at::Tensor& input = inputs[curvature::input_name(architecture, ids[place])];
    if (!input.defined()) input = tensor("input", layer.full.columns, layer.shape.columns);
    layers[ids[place]] = {tensor("output", layer.full.rows, layer.shape.rows), input};
  }
  return curvature::Projection(std::move(layers));
}

IndexedDocuments GradientIndex::documents() const {
  IndexedDocuments all = read_documents(store_, parts_);
  if (all.size() == rows()) return all;
  source_of(folder()).refuse(fmt::format("it must hold a row for each of its {}, but it holds {}",
                                         format_counted(all.size(), "document"), rows()));
}

const StoredRows& GradientIndex::stored_rows(const RowBlock& block) const {
  const auto found = mapped_.find(block.name);
  if (found != mapped_.end()) return found->second;
  return mapped_[block.name] = read_rows(store_, block.name, about_);
}

void GradientIndex::verify(std::span<const RowBlock> blocks) const {
  std::vector<std::string> names;
  for (const RowBlock& block : blocks) names.push_back(block.name);
  store_.verify(names);
}

at::Tensor GradientIndex::rows_of(const RowBlock& block, at::ScalarType dtype) const {
  return decode_rows(stored_rows(block), about_.layout(), dtype);
}

at::Tensor GradientIndex::rows_of_layer(size_t layer, const RowBlock& block, at::ScalarType dtype) const {
  const IndexAbout::Layer& each = about_.layers.at(layer);
  StoredRows stored = stored_rows(block);
  stored.numbers = stored.numbers.narrow(1, each.offset, each.shape.size());
  if (stored.scales.defined()) stored.scales = stored.scales.narrow(1, static_cast<int64_t>(layer), 1);
  return decode_rows(stored, {0, each.shape.size()}, dtype);
}

std::shared_ptr<const curvature::Curvature> GradientIndex::curvature_of(size_t layer, nn::LayerId id,
                                                                        at::ScalarType dtype) const {
  const IndexAbout::Layer& each = about_.layers.at(layer);
  const IndexCurvature kind = about_.settings.curvature;
  const std::string name = curvature_block(kind, each.name, parts_);
  if (kind == IndexCurvature::Raw) {
    curvature::DenseBlock block{.name = each.name, .shape = each.shape};
    if (rows() < each.shape.size()) {
      std::vector<at::Tensor> parts;
      for (const RowBlock& each_block : blocks_) parts.push_back(rows_of_layer(layer, each_block, at::kDouble));
      block.rows = at::cat(parts);
    } else {
      const io::Arrays arrays = store_.read(name);
      const at::Tensor sum = io::to_tensor(io::array_named(arrays, "sum", folder(), ErrorKind::Data));
      block.matrix = kernel::mirrored(sum).to(at::kDouble).div(static_cast<double>(rows()));
    }
    return std::make_shared<curvature::DenseCurvature>("projected",
                                                       std::map<nn::LayerId, curvature::DenseBlock>{{id, block}});
  }
  const io::Arrays arrays = store_.read(name);
  const auto tensor = [&](const char* part) {
    return io::to_tensor(io::array_named(arrays, part, folder(), ErrorKind::Data)).to(dtype);
  };
  return std::make_shared<curvature::FactoredCurvature>(
      std::string("projected ") + to_string(kind),
      std::map<nn::LayerId, curvature::FactoredBlock>{
          {id, {tensor("output_basis"), tensor("input_basis"), tensor("eigenvalues")}}});
}

}  // namespace assay::attribute
