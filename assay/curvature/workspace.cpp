#include "assay/curvature/workspace.h"

#include <fmt/format.h>

#include "assay/core/error.h"
#include "assay/io/source.h"
#include "assay/io/tensor.h"

namespace assay::curvature {
namespace {

const io::StoreKind kKind{.name = "workspace", .version = 1};

}  // namespace

Workspace::Workspace(const std::string& folder, const std::string& key, Progress& progress) : progress_(&progress) {
  try {
    store_ = io::Store::create_or_resume(folder, kKind, {{"key", key}}, io::IfDifferent::Restart);
    if (store_->restart_reason())
      progress.note(fmt::format("{}: made anew, because {}", folder, io::without_advice(*store_->restart_reason())));
    for (const std::string& block : store_->lost()) {
      progress.note(
          fmt::format("reading block \"{}\" of {}: its file is missing or cut off; it is made again", block, folder));
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Resource && error.kind() != ErrorKind::Data) throw;
    leave_disk(error.what());
  }
}

std::set<std::string> Workspace::peek(const std::string& folder, const std::string& key) {
  return io::Store::peek(folder, kKind, {{"key", key}});
}

void Workspace::leave_disk(const std::string& reason) {
  store_.reset();
  progress_->note(fmt::format("nothing is kept for later runs: {}", reason));
}

std::optional<TensorMap> Workspace::get(const std::string& block) {
  if (const auto found = memory_.find(block); found != memory_.end()) return found->second;
  if (!store_ || !store_->has(block)) return std::nullopt;
  try {
    TensorMap tensors;
    for (const auto& [name, array] : store_->read(block)) tensors[name] = io::to_tensor(array);
    return tensors;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Data) throw;
    progress_->note(fmt::format("{}; it is made again", io::without_advice(error.what())));
    store_->remove(block);
    return std::nullopt;
  }
}

void Workspace::put(const std::string& block, const TensorMap& tensors) {
  if (store_) {
    try {
      io::Arrays arrays;
      for (const auto& [name, tensor] : tensors) arrays[name] = io::from_tensor(tensor);
      store_->write(block, arrays);
      return;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Resource) throw;
      leave_disk(error.what());
    }
  }
  memory_[block] = tensors;
}

void Workspace::remove(const std::string& block) {
  memory_.erase(block);
  if (store_ && store_->has(block)) store_->remove(block);
}

void Workspace::remove_all(const std::string& prefix) {
  std::erase_if(memory_, [&](const auto& entry) { return entry.first.starts_with(prefix); });
  if (!store_) return;
  for (const std::string& block : store_->blocks())
    if (block.starts_with(prefix)) store_->remove(block);
}

}  // namespace assay::curvature
