#include "assay/data/token_block.h"

#include <algorithm>
#include <utility>

#include "assay/core/twin.h"

namespace assay::data {
namespace {

template <class T>
void move_into(io::Arrays& arrays, const char* name, std::vector<T>& values) {
  const auto count = static_cast<int64_t>(values.size());
  values.shrink_to_fit();  // blocks may stay in memory as long as the run
  arrays[name] = io::make_array<T>({count}, std::exchange(values, {}));
}

/// Blocks one after the other.
class BlocksOfExamples final : public PackedExamples {
 public:
  BlocksOfExamples(std::vector<std::shared_ptr<const TokenBlock>> blocks, int64_t limit) : blocks_(std::move(blocks)) {
    for (const auto& block : blocks_) {
      begins_.push_back(size_);
      size_ += block->examples();
    }
    size_ = std::min(size_, limit);
  }

  int64_t size() const override { return size_; }
  ExampleView at(int64_t row) const override {
    const auto after = std::upper_bound(begins_.begin(), begins_.end(), row);
    const auto block = static_cast<size_t>(after - begins_.begin()) - 1;
    return blocks_[block]->example(row - begins_[block]);
  }

 private:
  std::vector<std::shared_ptr<const TokenBlock>> blocks_;
  std::vector<int64_t> begins_;  // of each block, in examples
  int64_t size_ = 0;
};

}  // namespace

TokenBlock::TokenBlock(io::Arrays arrays, int64_t first_document, const io::Source& source)
    : arrays_(std::move(arrays)) {
  const io::Array& tokens = io::array_named(arrays_, "tokens", source.name, source.kind);
  if (tokens.dtype == io::DType::U16)
    narrow_tokens_ = io::values<uint16_t>(tokens);
  else
    wide_tokens_ = column<int32_t>("tokens", static_cast<size_t>(tokens.size()), source);
  const auto size_of_array = [&](const char* name) {
    return static_cast<size_t>(io::array_named(arrays_, name, source.name, source.kind).size());
  };
  const size_t examples = size_of_array("example_id"), documents = size_of_array("document_id");
  example_begin_ = column<int64_t>("example_begin", examples + 1, source);
  example_id_ = column<uint64_t>("example_id", examples, source);
  example_document_ = column<int64_t>("example_document", examples, source);
  document_id_ = column<uint64_t>("document_id", documents, source);
  document_content_ = column<uint64_t>("document_content", documents, source);
  document_tokens_ = column<int64_t>("document_tokens", documents, source);
  document_file_ = column<uint32_t>("document_file", documents, source);
  document_offset_ = column<uint64_t>("document_offset", documents, source);
  document_bytes_ = column<uint32_t>("document_bytes", documents, source);
  document_number_ = column<int64_t>("document_number", documents, source);
  require_order(first_document, source);
}

template <class T>
std::span<const T> TokenBlock::column(const char* name, size_t size, const io::Source& source) const {
  const io::Array& array = io::array_named(arrays_, name, source.name, source.kind);
  if (array.dtype != io::dtype_of<T>() || static_cast<size_t>(array.size()) != size) {
    source.refuse("array " + io::quote(name) + " must hold " + std::to_string(size) + " numbers of type " +
                  io::to_string(io::dtype_of<T>()) + ", but it holds " + std::to_string(array.size()) + " of type " +
                  io::to_string(array.dtype));
  }
  return io::values<T>(array);
}

void TokenBlock::require_order(int64_t first_document, const io::Source& source) const {
  const auto tokens = static_cast<int64_t>(narrow_tokens_.size() + wide_tokens_.size());
  if (example_begin_.front() != 0 || example_begin_.back() != tokens ||
      !std::is_sorted(example_begin_.begin(), example_begin_.end())) {
    source.refuse("\"example_begin\" must rise from 0 to the " + std::to_string(tokens) + " tokens, but it does not");
  }
  const int64_t end = first_document + documents();
  const auto is_inside = [&](int64_t document) { return document >= first_document && document < end; };
  if (!std::ranges::is_sorted(example_document_) || !std::ranges::all_of(example_document_, is_inside)) {
    source.refuse("\"example_document\" must rise from " + std::to_string(first_document) + " to " +
                  std::to_string(end - 1) + ", but it does not");
  }
}

ExampleView TokenBlock::example(int64_t row) const {
  const auto place = static_cast<size_t>(row);
  auto from = static_cast<size_t>(example_begin_[place]);
  const size_t count = static_cast<size_t>(example_begin_[place + 1]) - from;
  if (from > 0 && ASSAY_TWIN("data.block_boundary_off_by_one")) --from;
  ExampleView view;
  view.id = example_id_[place];
  view.tokens = narrow_tokens_.empty() ? TokenView(wide_tokens_.subspan(from, count))
                                       : TokenView(narrow_tokens_.subspan(from, count));
  return view;
}

DocumentEntry TokenBlock::document(int64_t row) const {
  const auto place = static_cast<size_t>(row);
  return {.id = document_id_[place],
          .content = document_content_[place],
          .tokens = document_tokens_[place],
          .place = {.file = document_file_[place],
                    .offset = document_offset_[place],
                    .bytes = document_bytes_[place],
                    .number = document_number_[place]}};
}

std::shared_ptr<const PackedExamples> packed_examples(std::vector<std::shared_ptr<const TokenBlock>> blocks,
                                                      int64_t limit) {
  return std::make_shared<BlocksOfExamples>(std::move(blocks), limit);
}

void TokenBlockBuilder::add_document(const DocumentEntry& entry) {
  document_id_.push_back(entry.id);
  document_content_.push_back(entry.content);
  document_tokens_.push_back(entry.tokens);
  document_file_.push_back(entry.place.file);
  document_offset_.push_back(entry.place.offset);
  document_bytes_.push_back(entry.place.bytes);
  document_number_.push_back(entry.place.number);
}

void TokenBlockBuilder::add_token(int32_t id) {
  ASSAY_ASSERT(id >= 0 && (!is_narrow_ || id <= 65'535));
  if (is_narrow_)
    narrow_.push_back(static_cast<uint16_t>(id));
  else
    wide_.push_back(id);
}

void TokenBlockBuilder::add_example(ExampleId id, std::span<const int32_t> tokens, int64_t document) {
  for (const int32_t token : tokens) add_token(token);
  example_begin_.push_back(this->tokens());
  example_id_.push_back(id);
  example_document_.push_back(document);
}

io::Arrays TokenBlockBuilder::take() {
  io::Arrays arrays;
  if (is_narrow_)
    move_into(arrays, "tokens", narrow_);
  else
    move_into(arrays, "tokens", wide_);
  move_into(arrays, "example_begin", example_begin_);
  move_into(arrays, "example_id", example_id_);
  move_into(arrays, "example_document", example_document_);
  move_into(arrays, "document_id", document_id_);
  move_into(arrays, "document_content", document_content_);
  move_into(arrays, "document_tokens", document_tokens_);
  move_into(arrays, "document_file", document_file_);
  move_into(arrays, "document_offset", document_offset_);
  move_into(arrays, "document_bytes", document_bytes_);
  move_into(arrays, "document_number", document_number_);
  example_begin_ = {0};
  return arrays;
}

}  // namespace assay::data
