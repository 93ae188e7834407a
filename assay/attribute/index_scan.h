// The walk over the rows of a gradient index: every block once for all questions, as one product of their directions
// with the block's rows, from mapped memory. Of each question only the strongest few are kept, on heaps; whole rows of
// scores for the first few questions, or for all where they are asked for.
//
//   dot       ⟨u_q, Z_i⟩                       u_q already solved and with the sign of its measurement
//   l2        dot − ½ self_i
//   relatif   dot / √self_i                    0 where self_i is 0
//
// Q·K multiply-adds a row, n·(K + Q) numbers of one block held.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "assay/attribute/gradient_index.h"
#include "assay/core/progress.h"

namespace assay::attribute {

enum class IndexMode { Dot, L2, Relatif };

/// Layers that are summed apart from the others, by their places in the index.
struct LayerGroup {
  std::string name;
  std::vector<size_t> layers;
};

struct ScanRequest {
  at::Tensor directions;       ///< [Q,K]
  std::vector<size_t> layers;  ///< those that count, ascending places in the index
  IndexMode mode = IndexMode::Dot;
  at::Tensor self = {};    ///< [N], for the modes that need it
  int64_t strongest = 20;  ///< kept at either end of each ranking
  int64_t whole_rows = 0;  ///< of scores, for so many of the first questions
  bool per_layer = false;  ///< whole rows by layer, too
  std::vector<LayerGroup> groups = {};
};

/// The end of each question's ranking, strongest first; fewer columns where there are fewer rows.
struct RankingEnd {
  at::Tensor rows = {};    ///< [Q,k] int64
  at::Tensor scores = {};  ///< [Q,k] float64
};

struct ScanResult {
  at::Tensor whole = {};      ///< [W,N] or undefined
  at::Tensor per_layer = {};  ///< [L,W,N] or undefined; in mode relatif scaled like the whole, in mode l2 products
  RankingEnd top = {}, bottom = {};
  std::vector<RankingEnd> group_top = {};    ///< by group
  std::vector<at::Tensor> group_whole = {};  ///< by group [W,N]
};

ScanResult scan_index(const GradientIndex& index, const ScanRequest& request, Progress& progress);

}  // namespace assay::attribute
