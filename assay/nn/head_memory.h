// What a model's head said of batches, for further walks over the same batches: fitting and scoring walk over the same
// documents with other labels, and of the head nothing depends on the labels but one row of it. With it a walk of a
// large vocabulary saves the head's products, 2·D·V multiply-adds a position, and gives the same bits.
//
// Memory: D + 1 numbers a position and 8 bytes for each label that was drawn, within a bound; batches beyond it are
// computed in every walk.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "assay/data/batch.h"
#include "assay/kernel/cross_entropy.h"

namespace assay::nn {

class HeadMemory {
 public:
  explicit HeadMemory(int64_t bytes) : free_bytes_(bytes) {}

  struct Said {
    kernel::HeadMoments moments;            ///< of the counted positions [n]
    std::map<uint64_t, at::Tensor> labels;  ///< [n], by the seed that they were drawn with
  };

  /// What was kept of this batch. `places` [n]: b·T + t of its counted positions.
  std::optional<Said> find(const data::Batch& batch, const at::Tensor& places) const;
  /// Keeps it where there is room, and it is not there yet.
  void keep(const data::Batch& batch, const at::Tensor& places, Said said);

  /// Frees all of it, and keeps nothing more.
  void close();

  /// Whether it is worth its memory: the products that it saves grow with the vocabulary, what it holds does not.
  static bool is_worth_it(int64_t vocabulary) { return vocabulary >= kLargeVocabulary; }
  /// Bytes for one position of a model this wide.
  static int64_t bytes_per_position(int64_t width, int64_t element_bytes) { return (width + 1) * element_bytes + 24; }

 private:
  static constexpr int64_t kLargeVocabulary = 4096;

  struct Entry {
    int64_t positions;  // T
    at::Tensor places;
    Said said;
  };
  mutable std::mutex mutex_;  // a model may be run by several threads
  std::map<std::vector<data::ExampleId>, Entry> entries_;
  int64_t free_bytes_;
};

}  // namespace assay::nn
