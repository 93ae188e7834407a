#include "assay/io/store.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <thread>

#include "assay/core/hash.h"
#include "assay/core/machine.h"
#include "assay/core/near_match.h"
#include "assay/core/twin.h"
#include "assay/io/atomic_file.h"
#include "assay/io/mapped_file.h"
#include "assay/io/safetensors.h"

namespace assay::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = "manifest.json";
constexpr std::string_view kBlockSuffix = ".safetensors";
constexpr std::string_view kSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

void make_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  std::error_code not_there;
  if (!error && fs::is_directory(folder, not_there)) return;
  throw Error(ErrorKind::Resource, "making folder " + quote(folder) + ": it must be creatable, but the system says: " +
                                       (error ? error.message() : "a file is in the way") + "; name another folder");
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) {
    throw Error(ErrorKind::Resource, "listing folder " + quote(folder) +
                                         ": it must be readable, but the system says: " + error.message() +
                                         "; name another folder");
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A folder without a manifest becomes a store only where that mixes with nobody's files.
void require_empty(const std::string& folder) {
  for (const std::string& name : files_in(folder)) {
    if (name == FolderLock::kFileName || AtomicFile::is_leftover(name)) continue;
    throw Error(ErrorKind::Data, "making a store in " + quote(folder) +
                                     ": the folder must be new, empty or a store, but it holds " + quote(name) +
                                     "; name another folder");
  }
}

void remove_file(const std::string& path) {
  std::error_code ignored;  // what cannot be removed is overwritten later or refused there
  fs::remove(path, ignored);
}

/// A block has two names for its file, so that a new version is written beside the one that stands.
std::string other_file(const std::string& block, const std::string& file) {
  const std::string plain = block + std::string(kBlockSuffix);
  return file == plain ? block + "+" + std::string(kBlockSuffix) : plain;
}

std::string read_text(const Source& source) {
  return std::string(MappedFile::open(source.name, source.kind)->text());
}

/// `"damping" was 0.1 and is now 0.2`: the first difference of two descriptions.
std::string first_difference(const Json& before, const Json& now) {
  const Json difference = Json::diff(before, now).at(0);
  const Json::json_pointer place(difference.at("path").get<std::string>());
  const auto shown = [&](const Json& from) { return from.contains(place) ? brief(from.at(place)) : "absent"; };
  std::string name = place.to_string();
  if (!name.empty()) name.erase(0, 1);
  std::replace(name.begin(), name.end(), '/', '.');
  return quote(name) + " was " + shown(before) + " and is now " + shown(now);
}

void require_kind(const StoreManifest& manifest, const StoreKind& kind, const Source& source) {
  if (manifest.kind != kind.name) {
    source.refuse("the store must hold " + quote(kind.name) + ", but it holds " + quote(manifest.kind) +
                  "; name another folder");
  }
  if (manifest.version != kind.version) {
    source.refuse("the store must have version " + std::to_string(kind.version) + " of " + quote(kind.name) +
                  ", but it has version " + std::to_string(manifest.version) + "; make it again in another folder");
  }
}

void require_same_origin(const Json& before, const Json& now, const Source& source) {
  if (before == now || ASSAY_TWIN("io.store_resumes_another_run")) return;
  source.refuse("a store is continued only by the run that began it, but " + first_difference(before, now) +
                "; name another folder, or start this one over");
}

}  // namespace

Source Store::manifest_source() const {
  return {.name = path_of(kManifest),
          .kind = ErrorKind::Data,
          .first_line = 1,
          .advice = "remove the folder and make it again"};
}

std::set<std::string> Store::peek(const std::string& folder, const StoreKind& kind, const Json& about) noexcept {
  try {
    const Store store(folder);
    const StoreManifest manifest = store.load_manifest();
    if (manifest.kind != kind.name || manifest.version != kind.version || manifest.about != about) return {};
    std::set<std::string> names;
    for (const auto& [name, block] : manifest.blocks)
      if (store.has_file(block)) names.insert(name);
    return names;
  } catch (const std::exception&) {  // none, damaged, unreadable: a plan then counts everything
    return {};
  }
}

Json Store::about_in(const std::string& folder, const StoreKind& kind) {
  const Store store(folder);
  StoreManifest manifest = store.load_manifest();
  require_kind(manifest, kind, store.manifest_source());
  return std::move(manifest.about);
}

StoreManifest Store::load_manifest() const {
  const Source source = manifest_source();
  return StoreManifest::parse(read_text(source), source);
}

/// The disk first: a store never claims what it could not write down.
void Store::save(StoreManifest manifest) {
  write_file(path_of(kManifest), manifest.to_text());
  manifest_ = std::move(manifest);
}

bool Store::has_file(const StoreBlock& block) const {
  std::error_code error;
  return fs::file_size(path_of(block.file), error) == block.bytes && !error;
}

Store Store::create_or_resume(const std::string& folder, const StoreKind& kind, const Json& about,
                              IfDifferent if_different) {
  ASSAY_ASSERT(about.is_object());
  make_folder(folder);
  Store store(folder);
  store.lock_.emplace(folder);
  const StoreManifest fresh{kind.name, kind.version, false, about, nullptr, nullptr, {}};
  std::error_code unknown;
  if (fs::exists(store.path_of(kManifest), unknown)) {
    store.resume(fresh, if_different);
  } else {
    require_empty(folder);
    store.save(fresh);
  }
  for (const std::string& name : files_in(folder)) {
    if (AtomicFile::is_leftover(name)) remove_file(store.path_of(name));
  }
  for (const auto& [name, block] : store.manifest_.blocks) remove_file(store.path_of(other_file(name, block.file)));
  return store;
}

void Store::resume(const StoreManifest& fresh, IfDifferent if_different) {
  const Source source = manifest_source();
  StoreManifest earlier;
  try {
    earlier = load_manifest();
    require_kind(earlier, {fresh.kind, fresh.version}, source);
    require_same_origin(earlier.about, fresh.about, source);
  } catch (const Error& error) {
    std::error_code unknown;  // an empty manifest is nobody's: a crash left it so
    const bool is_ours = fs::file_size(source.name, unknown) == 0 || StoreManifest::is_ours(read_text(source));
    if (if_different == IfDifferent::Refuse || error.kind() != ErrorKind::Data || !is_ours) throw;
    restart_reason_ = error.what();
    // The empty manifest goes first: what is interrupted here is an empty store, never a list of blocks that are gone.
    save(fresh);
    for (const auto& [name, block] : earlier.blocks) {
      remove_file(path_of(block.file));
      remove_file(path_of(other_file(name, block.file)));
    }
    return;
  }
  std::erase_if(earlier.blocks, [&](const auto& entry) {
    if (has_file(entry.second)) return false;
    lost_.push_back(entry.first);
    return true;
  });
  if (lost_.empty()) {
    manifest_ = std::move(earlier);
    return;
  }
  earlier.finished = false;
  earlier.summary = earlier.kept = nullptr;
  save(std::move(earlier));
}

Store Store::open(const std::string& folder, const StoreKind& kind) {
  Store store(folder);
  store.manifest_ = store.load_manifest();
  const Source source = store.manifest_source();
  require_kind(store.manifest_, kind, source);
  if (!store.finished() && store.kept().is_null()) {
    source.refuse("the store must be finished, but it has only " + std::to_string(store.manifest_.blocks.size()) +
                  " blocks so far; run the command that makes it again, it goes on where it stopped");
  }
  for (const auto& [name, block] : store.manifest_.blocks) {
    if (store.has_file(block)) continue;
    source.refuse("block " + quote(name) + " must be the file " + quote(block.file) + " of " +
                  std::to_string(block.bytes) + " bytes, but that is missing or of another size; make the store again");
  }
  return store;
}

std::vector<std::string> Store::blocks() const {
  std::vector<std::string> names;
  for (const auto& [name, block] : manifest_.blocks) names.push_back(name);
  return names;
}

bool Store::has(std::string_view block) const {
  return manifest_.blocks.contains(std::string(block));
}

void Store::write(const std::string& block, const Arrays& arrays) {
  ASSAY_ASSERT(lock_ && !finished());
  ASSAY_ASSERT(!block.empty() && block.front() != '.' && block.find_first_not_of(kSafe) == std::string::npos);
  // A block that is replaced keeps its file until the manifest names the new one: whatever happens on the way, one of
  // the two stands beside its own checksum.
  const std::string before = has(block) ? manifest_.blocks.at(block).file : "";
  if (!before.empty() && ASSAY_TWIN("io.store_drops_a_block_before_the_next")) remove(block);
  const std::string file = other_file(block, before);
  const FileDigest digest = write_safetensors(path_of(file), arrays);
  StoreManifest next = manifest_;
  next.blocks[block] = {file, digest.bytes, digest.hash};
  save(std::move(next));
  verified_.insert(block);
  if (!before.empty()) remove_file(path_of(before));  // arrays that are mapped from it stay readable
}

const StoreBlock& Store::listed(const std::string& block) const {
  const auto found = manifest_.blocks.find(block);
  if (found != manifest_.blocks.end()) return found->second;
  manifest_source().refuse("block " + quote(block) + " must be there, but it is not" + closest_clause(block, blocks()));
}

Arrays Store::map(const std::string& block) const {
  return read_safetensors(path_of(listed(block).file), ErrorKind::Data).tensors;
}

bool Store::fits_checksum(const StoreBlock& block) const {
  return ASSAY_TWIN("io.store_block_checksum_ignored") || hash_file(path_of(block.file)) == block.checksum;
}

void Store::refuse_checksum(const StoreBlock& block) const {
  Source{.name = path_of(block.file)}.refuse(
      "the block's bytes must fit the checksum in the manifest, but they do not; remove the folder and make it again");
}

Arrays Store::read(const std::string& block) const {
  const StoreBlock& found = listed(block);
  if (!verified_.contains(block)) {
    if (!fits_checksum(found)) refuse_checksum(found);
    verified_.insert(block);
  }
  return map(block);
}

void Store::verify(std::span<const std::string> blocks) const {
  std::vector<const StoreBlock*> waiting;
  for (const std::string& block : blocks)
    if (!verified_.contains(block)) waiting.push_back(&listed(block));
  std::vector<uint8_t> fits(waiting.size(), 0);
  std::vector<std::exception_ptr> failures(waiting.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < waiting.size(); i = next++) {
      try {
        fits[i] = fits_checksum(*waiting[i]) ? 1 : 0;
      } catch (...) {
        failures[i] = std::current_exception();
      }
    }
  };
  std::vector<std::thread> others;
  for (size_t t = 1; t < std::min(waiting.size(), static_cast<size_t>(granted_cores())); ++t) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (failures[i]) std::rethrow_exception(failures[i]);
    if (fits[i] == 0) refuse_checksum(*waiting[i]);
  }
  verified_.insert(blocks.begin(), blocks.end());
}

/// The manifest first, then the files: what is listed is there. Arrays that are mapped from them stay readable.
void Store::save_without(StoreManifest next, std::span<const std::string> blocks) {
  std::vector<std::string> files;
  for (const std::string& block : blocks) {
    const auto found = next.blocks.find(block);
    if (found == next.blocks.end()) continue;
    files.push_back(found->second.file);
    next.blocks.erase(found);
    verified_.erase(block);
  }
  save(std::move(next));
  for (const std::string& file : files) remove_file(path_of(file));
}

void Store::remove(std::span<const std::string> blocks) {
  ASSAY_ASSERT(lock_ && !finished());
  save_without(manifest_, blocks);
}

void Store::finish(const Json& summary, std::span<const std::string> superseded) {
  ASSAY_ASSERT(lock_ && !finished() && (summary.is_null() || summary.is_object()));
  StoreManifest next = manifest_;
  next.finished = true;
  next.summary = summary;
  next.kept = nullptr;
  save_without(std::move(next), superseded);
  lock_.reset();
}

void Store::reopen(const Json& kept) {
  ASSAY_ASSERT(lock_ && (kept.is_null() || kept.is_object()));
  StoreManifest next = manifest_;
  next.finished = false;
  next.kept = kept;
  save(std::move(next));
}

std::string Store::hash_with(std::span<const std::string> blocks) const {
  StoreManifest part = manifest_;
  part.finished = true;
  part.kept = nullptr;
  part.blocks.clear();
  for (const std::string& block : blocks) part.blocks[block] = listed(block);
  const std::string text = part.to_text();
  return Hasher().add(std::as_bytes(std::span(text))).digest128();
}

}  // namespace assay::io
