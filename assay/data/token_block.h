// A block of documents as tokens, in arrays that a token shard holds on the disk and a dataset holds in memory:
//
//   tokens            U16 or I32 [T]  ids of all examples, one after the other, BOS included; U16 where the vocabulary
//                                     has at most 65,536 tokens
//   example_begin     I64 [E+1]       where each example begins in `tokens`; the last one is T
//   example_id        U64 [E]         assay/data/dataset.h
//   example_document  I64 [E]         the document it is of, by its place in the corpus (several where texts were
//   split) document_id       U64 [D]         hash of the text and of its occurrence document_content  U64 [D] hash of
//   the text, by which it is known again when it is read again document_tokens   I64 [D]         tokens of the whole
//   text, BOS left out document_file     U32 [D]         the file it is in, by its place in the list of files
//   document_offset   U64 [D]         where its piece or JSONL line begins in the file's unpacked text, in bytes
//   document_bytes    U32 [D]         how long that is
//   document_number   I64 [D]         which piece or line that is, counted from 1
//
// 44 bytes a document and 24 an example beside the tokens. Reading copies nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "assay/data/examples.h"
#include "assay/io/array.h"
#include "assay/io/source.h"

namespace assay::data {

/// Where a document stands: its piece of plain text, its JSONL line or its row, in one of the files of a corpus.
struct DocumentPlace {
  uint32_t file = 0;
  uint64_t offset = 0;  ///< of the first byte, in the unpacked text; of a row of Parquet its place, counted from 0
  uint32_t bytes = 0;
  int64_t number = 0;  ///< counted from 1
};

struct DocumentEntry {
  ExampleId id = 0;
  uint64_t content = 0;
  int64_t tokens = 0;
  DocumentPlace place;
};

class TokenBlock {
 public:
  /// Takes the arrays above; others are left alone. `first_document` is the place of its first document in the corpus.
  /// Refuses arrays that are missing, of another type or size, or that point outside one another.
  TokenBlock(io::Arrays arrays, int64_t first_document, const io::Source& source);

  int64_t examples() const { return std::ssize(example_id_); }
  int64_t documents() const { return std::ssize(document_id_); }
  ExampleView example(int64_t row) const;
  /// Place in the corpus of the example's document.
  int64_t document_of(int64_t row) const { return example_document_[static_cast<size_t>(row)]; }
  /// `row` counts within the block.
  DocumentEntry document(int64_t row) const;

 private:
  template <class T>
  std::span<const T> column(const char* name, size_t size, const io::Source& source) const;
  void require_order(int64_t first_document, const io::Source& source) const;

  io::Arrays arrays_;
  std::span<const uint16_t> narrow_tokens_;
  std::span<const int32_t> wide_tokens_;
  std::span<const int64_t> example_begin_, example_document_, document_tokens_, document_number_;
  std::span<const uint64_t> example_id_, document_id_, document_content_, document_offset_;
  std::span<const uint32_t> document_file_, document_bytes_;
};

/// The examples of blocks in their order; of more than `limit` (>= 0) the first ones.
std::shared_ptr<const PackedExamples> packed_examples(std::vector<std::shared_ptr<const TokenBlock>> blocks,
                                                      int64_t limit);

/// Collects the arrays of a block.
class TokenBlockBuilder {
 public:
  /// `vocabulary` tokens decide the type of the ids.
  explicit TokenBlockBuilder(int64_t vocabulary) : is_narrow_(vocabulary <= 65'536) {}

  void add_document(const DocumentEntry& entry);
  void add_example(ExampleId id, std::span<const int32_t> tokens, int64_t document);

  int64_t tokens() const { return std::ssize(narrow_) + std::ssize(wide_); }
  int64_t documents() const { return std::ssize(document_id_); }

  /// The arrays; nothing is left in the builder.
  io::Arrays take();

 private:
  void add_token(int32_t id);

  bool is_narrow_;
  std::vector<uint16_t> narrow_;
  std::vector<int32_t> wide_;
  std::vector<int64_t> example_begin_{0}, example_document_, document_tokens_, document_number_;
  std::vector<uint64_t> example_id_, document_id_, document_content_, document_offset_;
  std::vector<uint32_t> document_file_, document_bytes_;
};

}  // namespace assay::data
