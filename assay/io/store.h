// Store: arrays on disk that a long job makes block by block and others read (factors, gradients, activations, scores).
// A folder with one safetensors file a block and a manifest.json that says what the store is, what it was made from and
// the checksum of every byte; both are readable from Python without us. A block is there whole or not at all: killed at
// any moment, the same job goes on with the blocks that are missing. Reading maps the files; the first read of a block
// verifies its checksum (memory speed). A Store object is used by one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "assay/io/array.h"
#include "assay/io/folder_lock.h"
#include "assay/io/json.h"
#include "assay/io/store_manifest.h"

namespace assay::io {

/// What a store holds and the version of that layout; both must fit to read it.
struct StoreKind {
  std::string name;  ///< "ekfac-factors"
  int64_t version = 1;
};

/// What to do where a store is there already but was made from something else, or is damaged.
enum class IfDifferent { Refuse, Restart };

class Store {
 public:
  /// Opens a store for writing, and makes the folder where it is missing. The blocks of an earlier run with the same
  /// kind and `about` (an object) are kept; another kind, version or `about`, or a damaged manifest, is refused (Data)
  /// or, on request, thrown away (restart_reason says why). Error(Resource) where another process writes it, or the
  /// disk refuses; Error(Data) where the folder holds something else.
  static Store create_or_resume(const std::string& folder, const StoreKind& kind, const Json& about,
                                IfDifferent if_different = IfDifferent::Refuse);

  /// Opens a store for reading that is finished, or was and keeps what it was (reopen). Error(Data) where there is
  /// none, or of another kind or version, unfinished, damaged, or with a block missing.
  static Store open(const std::string& folder, const StoreKind& kind);

  /// What a store of this kind and version says it was made from, finished or not. Error(Data) where there is none, or
  /// it is another's or damaged.
  static Json about_in(const std::string& folder, const StoreKind& kind);

  /// Names of the blocks that a store of this kind, version and `about` holds now, written by whoever; empty where
  /// there is none or it is damaged. Takes no lock and looks into no block: for plans, never to read by.
  static std::set<std::string> peek(const std::string& folder, const StoreKind& kind, const Json& about) noexcept;

  const std::string& folder() const noexcept { return folder_; }
  const Json& about() const noexcept { return manifest_.about; }
  /// What finish() was given; null before, and where that was nothing.
  const Json& summary() const noexcept { return manifest_.summary; }
  bool finished() const noexcept { return manifest_.finished; }
  /// What reopen() said is whole; null in a finished store, and in one that never was.
  const Json& kept() const noexcept { return manifest_.kept; }
  const std::optional<std::string>& restart_reason() const noexcept { return restart_reason_; }
  /// Blocks of an earlier run whose files are gone or of another size: they are no longer listed.
  const std::vector<std::string>& lost() const noexcept { return lost_; }

  /// Names of the blocks that are there, sorted.
  std::vector<std::string> blocks() const;
  bool has(std::string_view block) const;

  /// Adds a block, or replaces it: the old one stands until the new one does. `block` consists of letters, digits, '.',
  /// '_' and '-'. Error(Resource) where the disk refuses; everything written before stays, the old version included.
  void write(const std::string& block, const Arrays& arrays);

  /// The arrays of a block, mapped. Error(Data) where there is none of that name or its bytes do not fit its checksum.
  Arrays read(const std::string& block) const;

  /// The same without a look at the bytes: for names and shapes, and for who verifies them otherwise.
  Arrays map(const std::string& block) const;

  /// Verifies the checksums of blocks that have not been read yet, on all cores: reading them costs nothing more then.
  void verify(std::span<const std::string> blocks) const;

  /// Drops a block (one that was found damaged, say), so that it can be made again.
  void remove(const std::string& block) { remove(std::span(&block, 1)); }
  /// Drops them together: killed at any moment, all of them are there or none.
  void remove(std::span<const std::string> blocks);

  /// Marks the store complete and lets others write to the folder. `summary` (an object, or nothing) is what is known
  /// only now: it stands in the manifest beside `about`. The superseded blocks are dropped in the same step.
  void finish(const Json& summary = nullptr, std::span<const std::string> superseded = {});

  /// Takes the mark away again, so that a store that was created or resumed here takes further blocks. Until finish()
  /// nobody can open it for reading, unless `kept` (an object) says what of it is whole: a reader then keeps to that,
  /// and no block of it may be written or dropped.
  void reopen(const Json& kept = nullptr);

  /// XXH3-128 of the manifest of this store, were it finished and held these of its blocks alone.
  std::string hash_with(std::span<const std::string> blocks) const;

 private:
  explicit Store(std::string folder) : folder_(std::move(folder)) {}

  std::string path_of(const std::string& file) const { return folder_ + "/" + file; }
  Source manifest_source() const;
  StoreManifest load_manifest() const;
  void save(StoreManifest manifest);
  void save_without(StoreManifest next, std::span<const std::string> blocks);
  void resume(const StoreManifest& fresh, IfDifferent if_different);
  bool has_file(const StoreBlock& block) const;
  const StoreBlock& listed(const std::string& block) const;
  bool fits_checksum(const StoreBlock& block) const;
  [[noreturn]] void refuse_checksum(const StoreBlock& block) const;

  std::string folder_;
  StoreManifest manifest_;
  std::optional<FolderLock> lock_;
  std::optional<std::string> restart_reason_;
  std::vector<std::string> lost_;
  mutable std::set<std::string> verified_;  // blocks whose checksum was found to fit
};

}  // namespace assay::io
