// Where a long job keeps the parts that it has finished: named blocks of tensors, in memory or in a Store on disk. What
// lies there is found again by a later run with the same key; a damaged block counts as absent and is made again, and
// the job says so.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "assay/core/progress.h"
#include "assay/curvature/covariance.h"
#include "assay/io/store.h"

namespace assay::curvature {

class Workspace {
 public:
  /// In memory only: nothing is kept beyond the life of the object.
  Workspace() = default;
  /// In `folder`, for the job that `key` names; blocks of another job that lie there are thrown away. Where another
  /// process writes to it or the disk refuses, blocks stay in memory and `progress` says so: it must never stop a run.
  Workspace(const std::string& folder, const std::string& key, Progress& progress);

  /// Names of the blocks that lie in `folder` for that job now; nothing is opened for writing.
  static std::set<std::string> peek(const std::string& folder, const std::string& key);

  /// Tensors of a block; those on disk are mapped. Nothing where the block is absent or damaged.
  std::optional<TensorMap> get(const std::string& block);
  void put(const std::string& block, const TensorMap& tensors);
  void remove(const std::string& block);
  /// Every block whose name begins so.
  void remove_all(const std::string& prefix);
  bool is_on_disk() const { return store_.has_value(); }

 private:
  void leave_disk(const std::string& reason);

  std::map<std::string, TensorMap> memory_;
  std::optional<io::Store> store_;
  Progress* progress_ = nullptr;
};

}  // namespace assay::curvature
