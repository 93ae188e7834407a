#include "assay/core/cache.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "assay/core/error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// The mark of https://bford.info/cachedir/: backup programs leave such folders out.
constexpr const char* kMark = "CACHEDIR.TAG";
constexpr const char* kMarkText =
    "Signature: 8a477f597d28d172789f06886806bc55\n# Made by assay; everything here can be made again.\n";

/// The variable's value where it is an absolute path; relative ones are ignored, as XDG asks.
const char* absolute_path(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && value[0] == '/' ? value : nullptr;
}

}  // namespace

std::string default_cache_folder() {
  if (const char* own = std::getenv("ASSAY_CACHE"); own != nullptr && own[0] != 0) return own;
  if (const char* cache = absolute_path("XDG_CACHE_HOME")) return std::string(cache) + "/assay";
  if (const char* home = absolute_path("HOME")) return std::string(home) + "/.cache/assay";
  return "/tmp/assay-cache";
}

int64_t folder_bytes(const std::string& folder) {
  std::error_code ignored;  // files may vanish while they are counted
  int64_t total = 0;
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, ignored), end;
       it != end; it.increment(ignored)) {
    std::error_code error;
    if (!it->is_regular_file(error) || error) continue;
    const auto bytes = it->file_size(error);
    if (!error) total += static_cast<int64_t>(bytes);
  }
  return total;
}

void clear_cache(const std::string& folder) {
  std::error_code error;
  if (!fs::exists(folder, error) || fs::is_empty(folder, error)) return;
  if (!fs::exists(fs::path(folder) / kMark, error)) {
    throw Error(ErrorKind::Usage, "clearing the cache \"" + folder +
                                      "\": it must be a folder that Assay made (it would hold " + kMark +
                                      "), but it is not; nothing was removed");
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename() == kMark) continue;
    fs::remove_all(entry.path(), error);
    if (error)
      throw Error(ErrorKind::Resource,
                  "clearing the cache: removing \"" + entry.path().string() + "\": " + error.message());
  }
}

void create_cache(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  const fs::path mark = fs::path(folder) / kMark;
  const bool is_marked = !error && fs::exists(mark, error);
  if (!error && !is_marked && !(std::ofstream(mark) << kMarkText))
    error = std::make_error_code(std::errc::permission_denied);
  if (error) {
    throw Error(ErrorKind::Resource, "creating the cache folder \"" + folder + "\": " + error.message() +
                                         "; name another with --cache or ASSAY_CACHE");
  }
}

}  // namespace assay
