#include "cli/append_check.h"

#include <fmt/format.h>

#include <string>

#include "assay/core/error.h"
#include "assay/nn/model.h"
#include "cli/loading.h"

namespace assay::cli {
namespace {

[[noreturn]] void refuse(const char* option, const std::string& there, const std::string& given) {
  throw Error(ErrorKind::Usage,
              fmt::format("reading {0}: an append keeps what its index was made with, {0} {1}, but {2} is given; leave "
                          "{0} out",
                          option, there, given));
}

void require_rank(const char* option, int64_t given, int64_t there) {
  if (given > 0 && given != there) refuse(option, fmt::format("{}", there), fmt::format("{}", given));
}

std::string layer_names(const attribute::IndexAbout& about) {
  std::string names;
  for (const attribute::IndexAbout::Layer& layer : about.layers) names += (names.empty() ? "" : ",") + layer.name;
  return names;
}

std::string layer_names(const nn::Architecture& architecture, const std::vector<nn::LayerId>& layers) {
  std::string names;
  for (const nn::LayerId layer : layers)
    names += (names.empty() ? "" : ",") + architecture.layers()[static_cast<size_t>(layer)].name;
  return names;
}

void require_same_reading(const DataOptions& given, const attribute::IndexAbout& there) {
  if (given.context > 0 && given.context != there.context)
    refuse("--context", fmt::format("{}", there.context), fmt::format("{}", given.context));
  if (given.begin_token != BeginToken::Auto && (given.begin_token == BeginToken::Yes) != there.adds_bos)
    refuse("--bos", there.adds_bos ? "yes" : "no", there.adds_bos ? "no" : "yes");
  if (given.long_given && there.long_texts != long_text_name(given.long_text))
    refuse("--long", there.long_texts, long_text_name(given.long_text));
}

}  // namespace

void require_same_settings(const IndexOptions& options, const attribute::IndexAbout& there,
                           const nn::Checkpoint& checkpoint, const std::vector<nn::LayerId>& layers) {
  if (there.model_hash != checkpoint.hash) {
    throw Error(ErrorKind::Data,
                fmt::format("appending to the index \"{}\": its documents must all be of one model, but "
                            "\"{}\" is another than it was made with; name that model, or make an index "
                            "in another folder",
                            options.common.out, options.model));
  }
  const attribute::IndexSettings& made = there.settings;
  const attribute::IndexSettings& given = options.settings;
  if (options.projection_given && given.projection != made.projection)
    refuse("--projection", to_string(made.projection), to_string(given.projection));
  if (options.curvature_given && given.curvature != made.curvature)
    refuse("--curvature", to_string(made.curvature), to_string(given.curvature));
  if (options.type_given && given.rows != made.rows)
    refuse("--store-dtype", to_string(made.rows), to_string(given.rows));
  require_rank("--rank-in", options.rank_in, made.rank_in);
  require_rank("--rank-out", options.rank_out, made.rank_out);
  if (options.rank_in == 0) require_rank("--rank", options.rank, made.rank_in);
  if (options.rank_out == 0) require_rank("--rank", options.rank, made.rank_out);
  const bool is_drawn = made.projection == attribute::ProjectionKind::Random;
  if (is_drawn && options.common.seed_given && static_cast<uint64_t>(options.common.seed) != made.seed)
    refuse("--seed", fmt::format("{}", made.seed), fmt::format("{}", options.common.seed));
  require_same_reading(options.data, there);
  const std::string precision = nn::precision_name(checkpoint.model);
  if (precision != there.precision) {
    throw Error(ErrorKind::Usage, fmt::format("reading --dtype: an append keeps the precision of its index, {0}, but "
                                              "--dtype is {1}; give --dtype {0}",
                                              there.precision, precision));
  }
  const nn::Architecture& architecture = checkpoint.model.architecture();
  if (!options.layers.empty() && layer_names(architecture, layers) != layer_names(there)) {
    throw Error(ErrorKind::Usage,
                fmt::format("reading --layers: an append keeps the {} layers of its index, but \"{}\" "
                            "names others; leave --layers out",
                            there.layers.size(), options.layers));
  }
}

}  // namespace assay::cli
