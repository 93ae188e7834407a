// The cache folder: fitted factors by content address, measured ceilings. Everything in it can be made again; nothing
// in it is a result. Default: $ASSAY_CACHE, else $XDG_CACHE_HOME/assay, else ~/.cache/assay.
#pragma once

#include <cstdint>
#include <string>

namespace assay {

/// The folder to use where the user names none. Does not create it.
std::string default_cache_folder();

/// Bytes of all regular files below; 0 where there is none.
int64_t folder_bytes(const std::string& folder);

/// Removes the entries of a cache folder, not the folder. Refuses (Usage) a folder that no Assay made: one that is not
/// empty and lacks the mark "CACHEDIR.TAG".
void clear_cache(const std::string& folder);

/// Creates the folder with its mark. Errors: Resource, with the path and the reason.
void create_cache(const std::string& folder);

}  // namespace assay
