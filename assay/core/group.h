// The processes that share one job. By default there is one; assay/dist brings others behind the same interface.
// Reductions add in rank order, so that the same ranks give the same bits.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace assay {

class Group {
 public:
  virtual ~Group() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Returns when every rank has called it.
  virtual void barrier() = 0;
  /// Replaces `values` on every rank by the sum over ranks; all ranks pass the same length.
  virtual void all_reduce_sum(std::span<float> values) = 0;
  virtual void all_reduce_sum(std::span<double> values) = 0;
  /// The bytes of every rank, by rank, on every rank; lengths may differ.
  virtual std::vector<std::vector<std::byte>> gather(std::span<const std::byte> bytes) = 0;
};

/// The group of this process alone.
Group& self_group();

}  // namespace assay
