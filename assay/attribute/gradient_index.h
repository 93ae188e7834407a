// A gradient index: the projected gradients of a corpus's documents, logged once, so that every later question costs
// one backward pass of its own and a matrix product against the rows (LoGra, Choe et al. 2024, arXiv 2405.13954). A
// Store:
//
//   projection            P_oᵀ and P_iᵀ of each layer
//   documents.PPPP, contents.PPPP.BBBBB   the documents of part P (index_documents.h); a part is what one command added
//   rows.PPPP.BBBBB       rows [n,K] of consecutive documents, layers side by side; with Kronecker curvature also this
//                         block's sums of P_i a aᵀ P_iᵀ and P_o g gᵀ P_oᵀ
//   KIND.LAYER            the curvature over all rows, made last; over those of P > 1 parts KIND.PPPP.LAYER
//
// Documents are appended beside what is there: until the curvature over all of it is whole, the manifest keeps saying
// how many parts are finished, and a reader takes those with their own curvature. Stopped there, nothing was lost.
//
// The manifest says what all of it was made from: model, tokenizer, reading of texts, layers with their places in a
// row, projection, seed, curvature, type of rows. An index is never read with another model or tokenizer.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "assay/attribute/index_documents.h"
#include "assay/attribute/index_settings.h"
#include "assay/attribute/row_codec.h"
#include "assay/curvature/curvature.h"
#include "assay/curvature/projection.h"
#include "assay/io/store.h"

namespace assay::attribute {

/// What a gradient index is as a Store.
const io::StoreKind& index_kind();

/// What an index was made from, as its manifest says it.
struct IndexAbout {
  struct Layer {
    std::string name;
    curvature::LayerShape full;   ///< of its gradient D
    curvature::LayerShape shape;  ///< of Z
    int64_t offset = 0;           ///< of its columns in a row
  };

  std::string model_hash = {}, tokenizer_hash = {};
  std::string precision = {};   ///< of the arithmetic: "fp32", "fp64", "bf16"
  int64_t context = 0;          ///< tokens of one document, BOS included
  std::string long_texts = {};  ///< "cut", "split", "refuse"
  bool adds_bos = false;        ///< a begin token stands before every document
  IndexSettings settings = {};
  std::vector<Layer> layers = {};

  RowLayout layout() const;
  int64_t columns() const { return layout().back(); }  ///< K
  io::Json to_json() const;
  /// Throws Error(Data) naming `source` where something is missing or contradicts the rest.
  static IndexAbout from_json(const io::Json& json, const io::Source& source);
};

/// Rows as they lie in a block of a store that is described so. Throws Error(Data) where the block is damaged.
StoredRows read_rows(const io::Store& store, const std::string& block, const IndexAbout& about);

/// How many of a store's parts are finished: all of them, or those before an append that is not; 0 in an index that was
/// never finished. Throws Error(Data) where the store contradicts itself.
int64_t finished_parts(const io::Store& store);
/// What a store says that keeps so many parts readable while more is appended (Store::reopen).
io::Json kept_parts(int64_t parts);
/// The blocks of its first `parts` parts, and of the curvature over them.
std::vector<std::string> blocks_of_parts(const io::Store& store, const IndexAbout& about, int64_t parts);
/// Documents of the parts that are not finished, as far as they are there.
int64_t unfinished_documents(const io::Store& store);

/// The layers of an index as the architecture numbers them. Throws Error(Data) where it lacks one or has another shape
/// for it.
std::vector<nn::LayerId> indexed_layers(const IndexAbout& about, const nn::Architecture& architecture,
                                        const std::string& folder);
curvature::Projection read_projection(const io::Store& store, const IndexAbout& about,
                                      const nn::Architecture& architecture);

/// An index that is open for reading.
class GradientIndex {
 public:
  struct RowBlock {
    std::string name;
    int64_t first = 0;  ///< row
    int64_t count = 0;
  };

  /// What is finished of it. Throws Error(Data) where that is nothing, or damaged or of another version.
  explicit GradientIndex(const std::string& folder);

  const std::string& folder() const { return store_.folder(); }
  const IndexAbout& about() const { return about_; }
  int64_t rows() const { return blocks_.empty() ? 0 : blocks_.back().first + blocks_.back().count; }  ///< N
  int64_t parts() const { return parts_; }
  /// Of its manifest, which holds the checksum of every byte; beside an unfinished append, of what it was before.
  std::string hash() const;
  /// What a reader must know of an append that was not finished; empty where there is none.
  std::string unfinished_warning() const;
  const std::vector<RowBlock>& blocks() const { return blocks_; }

  /// Throws Error(Data) by name where the index was made with another model or tokenizer.
  void require_made_with(const std::string& model_hash, const std::string& tokenizer_hash) const;
  std::vector<nn::LayerId> layer_ids(const nn::Architecture& architecture) const {
    return indexed_layers(about_, architecture, folder());
  }
  curvature::Projection projection(const nn::Architecture& architecture) const {
    return read_projection(store_, about_, architecture);
  }

  /// Mapped; they stay valid without the index.
  IndexedDocuments documents() const;
  /// Mapped, and kept mapped: a second look costs no page faults.
  const StoredRows& stored_rows(const RowBlock& block) const;
  /// Verifies the checksums of these blocks together.
  void verify(std::span<const RowBlock> blocks) const;
  /// [n,K], or of one layer (a place in about().layers) [n,k].
  at::Tensor rows_of(const RowBlock& block, at::ScalarType dtype) const;
  at::Tensor rows_of_layer(size_t layer, const RowBlock& block, at::ScalarType dtype) const;
  /// The curvature of one layer, a place in about().layers, for gradients of `dtype`; `id` is what it is called by.
  std::shared_ptr<const curvature::Curvature> curvature_of(size_t layer, nn::LayerId id, at::ScalarType dtype) const;

 private:
  io::Store store_;
  IndexAbout about_;
  std::vector<RowBlock> blocks_;
  int64_t parts_ = 0;
  mutable std::map<std::string, StoredRows> mapped_;
};

/// Names of blocks.
std::string rows_block(int64_t part, int64_t block);
std::string curvature_block(IndexCurvature kind, const std::string& layer, int64_t parts);
inline constexpr const char* kProjectionBlock = "projection";

}  // namespace assay::attribute
