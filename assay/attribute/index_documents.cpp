#include "assay/attribute/index_documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include "assay/core/error.h"
#include "assay/io/array.h"
#include "assay/io/source.h"

namespace assay::attribute {
namespace {

using data::ExampleView;

constexpr int64_t kContentsOfABlock = int64_t{1} << 22;  // tokens and numbers: some 40 MB with their texts

std::string contents_block(int64_t part, int64_t block) {
  return fmt::format("contents.{:04}.{:05}", part, block);
}

io::Source block_source(const io::Store& store, const std::string& block) {
  return {.name = store.folder() + " (" + block + ")"};
}

[[noreturn]] void refuse_block(const io::Store& store, const std::string& block, const std::string& rule) {
  block_source(store, block).refuse(rule + ", but it does not; make the index again");
}

// ---- writing ----

template <typename T>
void put_column(io::Arrays& arrays, const std::string& name, std::vector<T> values) {
  const int64_t count = std::ssize(values);  // before they are moved from
  arrays[name] = io::make_array({count}, std::move(values));
}

/// Lists of different lengths as one array, and where each of them ends.
template <typename T>
class Lists {
 public:
  template <typename List>
  void add(const List& list) {
    all_.insert(all_.end(), list.begin(), list.end());
    ends_.push_back(std::ssize(all_));
  }
  const std::vector<T>& all() const { return all_; }
  void put(io::Arrays& arrays, const std::string& name) && {
    put_column(arrays, name, std::move(all_));
    put_column(arrays, name + ".ends", std::move(ends_));
  }

 private:
  std::vector<T> all_;
  std::vector<int64_t> ends_;
};

void put_tokens(io::Arrays& arrays, Lists<int32_t> tokens) {
  const bool is_narrow = std::ranges::all_of(
      tokens.all(), [](int32_t id) { return id >= 0 && id <= std::numeric_limits<uint16_t>::max(); });
  const std::vector<uint16_t> narrow =
      is_narrow ? std::vector<uint16_t>(tokens.all().begin(), tokens.all().end()) : std::vector<uint16_t>();
  std::move(tokens).put(arrays, "tokens");
  if (is_narrow) put_column(arrays, "tokens", narrow);
}

io::Arrays contents_of(const IndexedDocuments& documents, int64_t begin, int64_t end) {
  Lists<int32_t> tokens;
  Lists<float> features, values;
  Lists<uint8_t> texts, sources;
  std::vector<int32_t> first_counted, labels;
  std::vector<int64_t> rows;
  for (int64_t row = begin; row < end; ++row) {
    const ExampleView example = std::as_const(documents.dataset).examples[static_cast<size_t>(row)];
    tokens.add(example.tokens);
    features.add(example.features);
    values.add(example.values);
    first_counted.push_back(example.first_counted);
    labels.push_back(example.label);
    if (documents.source) sources.add(documents.source(row));
    rows.push_back(row);
  }
  if (documents.texts) documents.texts->visit(rows, [&](int64_t, std::string_view text) { texts.add(text); });
  io::Arrays arrays;
  put_tokens(arrays, std::move(tokens));
  std::move(features).put(arrays, "features");
  std::move(values).put(arrays, "values");
  put_column(arrays, "first_counted", std::move(first_counted));
  put_column(arrays, "label", std::move(labels));
  if (documents.texts) std::move(texts).put(arrays, "text");
  if (documents.source) std::move(sources).put(arrays, "source");
  return arrays;
}

// ---- reading ----

template <typename T>
std::span<const T> numbers(const io::Store& store, const std::string& block, const io::Arrays& arrays,
                           const std::string& name, int64_t count) {
  const io::Array& array = io::array_named(arrays, name, block_source(store, block).name, ErrorKind::Data);
  if (array.dtype != io::dtype_of<T>() || (count >= 0 && array.size() != count))
    refuse_block(store, block, fmt::format("\"{}\" must hold one number of its kind for each document", name));
  return io::values<T>(array);
}

/// Lists as `Lists` wrote them, mapped.
template <typename T>
class MappedLists {
 public:
  MappedLists() = default;
  MappedLists(const io::Store& store, const std::string& block, const io::Arrays& arrays, const std::string& name,
              int64_t count)
      : all_(numbers<T>(store, block, arrays, name, -1)),
        ends_(numbers<int64_t>(store, block, arrays, name + ".ends", count)) {
    const bool rise = std::ranges::is_sorted(ends_) && (ends_.empty() || ends_.front() >= 0);
    if (!rise || (ends_.empty() ? 0 : ends_.back()) != std::ssize(all_))
      refuse_block(store, block, fmt::format("\"{}\" must be cut by rising ends", name));
  }

  std::span<const T> at(int64_t row) const {
    const auto place = static_cast<size_t>(row);
    const auto begin = static_cast<size_t>(place == 0 ? 0 : ends_[place - 1]);
    return all_.subspan(begin, static_cast<size_t>(ends_[place]) - begin);
  }

 private:
  std::span<const T> all_;
  std::span<const int64_t> ends_;
};

std::string_view text_in(const MappedLists<uint8_t>& lists, int64_t row) {
  const auto bytes = lists.at(row);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// One block of contents.
struct Contents {
  int64_t begin = 0;  // row
  io::Arrays arrays;  // what the spans point into
  bool is_narrow = false, has_texts = false, has_sources = false;
  MappedLists<uint16_t> narrow_tokens;
  MappedLists<int32_t> wide_tokens;
  MappedLists<float> features, values;
  MappedLists<uint8_t> texts, sources;
  std::span<const int32_t> first_counted, labels;

  Contents(const io::Store& store, const std::string& block, int64_t first, int64_t count)
      : begin(first), arrays(store.read(block)) {
    is_narrow = io::array_named(arrays, "tokens", block_source(store, block).name, ErrorKind::Data).dtype ==
                io::dtype_of<uint16_t>();
    if (is_narrow)
      narrow_tokens = {store, block, arrays, "tokens", count};
    else
      wide_tokens = {store, block, arrays, "tokens", count};
    features = {store, block, arrays, "features", count};
    values = {store, block, arrays, "values", count};
    first_counted = numbers<int32_t>(store, block, arrays, "first_counted", count);
    labels = numbers<int32_t>(store, block, arrays, "label", count);
    has_texts = arrays.contains("text");
    if (has_texts) texts = {store, block, arrays, "text", count};
    has_sources = arrays.contains("source");
    if (has_sources) sources = {store, block, arrays, "source", count};
  }
};

/// The contents of all parts, as examples and as their texts.
class StoredDocuments final : public data::PackedExamples, public data::ExampleTexts {
 public:
  StoredDocuments(std::vector<Contents> blocks, std::vector<data::ExampleId> ids)
      : blocks_(std::move(blocks)), ids_(std::move(ids)) {}

  int64_t size() const override { return std::ssize(ids_); }

  ExampleView at(int64_t row) const override {
    const Contents& block = block_of(row);
    const int64_t place = row - block.begin;
    ExampleView example;
    example.id = ids_[static_cast<size_t>(row)];
    if (block.is_narrow)
      example.tokens = block.narrow_tokens.at(place);
    else
      example.tokens = block.wide_tokens.at(place);
    example.first_counted = block.first_counted[static_cast<size_t>(place)];
    example.features = block.features.at(place);
    example.label = block.labels[static_cast<size_t>(place)];
    example.values = block.values.at(place);
    return example;
  }

  void visit(std::span<const int64_t> rows,
             const std::function<void(int64_t row, std::string_view text)>& visit) const override {
    for (const int64_t row : rows) {
      const Contents& block = block_of(row);
      visit(row, block.has_texts ? text_in(block.texts, row - block.begin) : std::string_view());
    }
  }

  std::string source(int64_t row) const {
    const Contents& block = block_of(row);
    return block.has_sources ? std::string(text_in(block.sources, row - block.begin)) : std::string();
  }

  bool has_texts() const {
    return std::ranges::all_of(blocks_, [](const Contents& block) { return block.has_texts; });
  }

 private:
  const Contents& block_of(int64_t row) const {
    ASSAY_ASSERT(row >= 0 && row < size());
    return *std::prev(std::ranges::upper_bound(blocks_, row, {}, &Contents::begin));
  }

  std::vector<Contents> blocks_;
  std::vector<data::ExampleId> ids_;
};

}  // namespace

std::string documents_block(int64_t part) {
  return fmt::format("documents.{:04}", part);
}

int64_t parts_of(const io::Store& store) {
  int64_t parts = 0;
  while (store.has(documents_block(parts))) ++parts;
  return parts;
}

void write_documents(io::Store& store, int64_t part, const IndexedDocuments& documents,
                     std::span<const data::ExampleId> ids) {
  ASSAY_ASSERT(std::ssize(ids) == documents.size());
  for (const std::string& block : store.blocks())
    if (block.starts_with(fmt::format("contents.{:04}.", part))) store.remove(block);  // of an interrupted run
  std::vector<int64_t> ends;
  int64_t begin = 0, size = 0;
  for (int64_t row = 0; row < documents.size(); ++row) {
    const ExampleView example = documents.dataset.examples[static_cast<size_t>(row)];
    size += 1 + static_cast<int64_t>(example.tokens.size() + example.features.size() + example.values.size());
    if (size < kContentsOfABlock && row + 1 < documents.size()) continue;
    store.write(contents_block(part, std::ssize(ends)), contents_of(documents, begin, row + 1));
    ends.push_back(begin = row + 1);
    size = 0;
  }
  io::Arrays arrays;
  put_column(arrays, "ids", std::vector<uint64_t>(ids.begin(), ids.end()));
  put_column(arrays, "contents_end", std::move(ends));
  std::vector<int64_t> document = documents.document_of;
  if (document.empty()) {
    document.resize(ids.size());
    std::iota(document.begin(), document.end(), 0);
  }
  put_column(arrays, "document", std::move(document));
  std::vector<uint8_t> is_part(documents.is_part.begin(), documents.is_part.end());
  is_part.resize(ids.size(), 0);
  put_column(arrays, "is_part", std::move(is_part));
  put_column(arrays, "adds_bos", std::vector<uint8_t>{documents.adds_bos ? uint8_t{1} : uint8_t{0}});
  store.write(documents_block(part), arrays);
}

std::vector<data::ExampleId> document_ids(const io::Store& store, int64_t part) {
  const std::string block = documents_block(part);
  const io::Arrays arrays = store.read(block);
  const auto ids = numbers<uint64_t>(store, block, arrays, "ids", -1);
  return {ids.begin(), ids.end()};
}

IndexedDocuments read_documents(const io::Store& store, int64_t parts) {
  IndexedDocuments all;
  std::vector<Contents> contents;
  std::vector<data::ExampleId> ids;
  for (int64_t part = 0; part < parts; ++part) {
    const std::string block = documents_block(part);
    const io::Arrays arrays = store.read(block);
    const auto own = numbers<uint64_t>(store, block, arrays, "ids", -1);
    const int64_t first = std::ssize(ids), count = std::ssize(own);
    int64_t begin = 0, place = 0;
    for (const int64_t end : numbers<int64_t>(store, block, arrays, "contents_end", -1)) {
      if (end <= begin || end > count) refuse_block(store, block, "blocks of contents must follow one another");
      contents.emplace_back(store, contents_block(part, place++), first + begin, end - begin);
      begin = end;
    }
    if (begin != count) refuse_block(store, block, "blocks of contents must hold every document");
    const auto document = numbers<int64_t>(store, block, arrays, "document", count);
    const auto is_part = numbers<uint8_t>(store, block, arrays, "is_part", count);
    const int64_t documents_before = all.document_of.empty() ? 0 : all.document_of.back() + 1;
    for (const int64_t each : document) all.document_of.push_back(documents_before + each);
    for (const uint8_t each : is_part) all.is_part.push_back(each != 0);
    all.adds_bos = all.adds_bos || numbers<uint8_t>(store, block, arrays, "adds_bos", 1).front() != 0;
    ids.insert(ids.end(), own.begin(), own.end());
  }
  const auto stored = std::make_shared<const StoredDocuments>(std::move(contents), std::move(ids));
  all.dataset.examples = data::Examples(stored);
  if (stored->has_texts()) all.texts = stored;
  all.source = [stored](int64_t row) { return stored->source(row); };
  return all;
}

}  // namespace assay::attribute
