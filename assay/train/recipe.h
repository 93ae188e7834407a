// Training recipes (docs/train.md): a TOML file that says which model, which texts, which optimizer and for how long.
// Relative paths count from the recipe's own folder. Arrays (family mlp) are trained from code, through the same loop.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "assay/data/corpus.h"
#include "assay/data/encode.h"
#include "assay/data/tokenizer.h"
#include "assay/train/loop.h"

namespace assay::train {

struct TextSource {
  std::string path;       ///< file, folder or token shards
  std::string tokenizer;  ///< model folder, tokenizer.json or .gguf; empty: that of the starting model
  data::CorpusOptions corpus;
  data::EncodeOptions encode;      ///< context 0: that of token shards, else the model's
  std::vector<int64_t> leave_out;  ///< documents, by their place in the corpus
};

struct Recipe {
  std::string name;           ///< the file, for messages
  std::string from;           ///< checkpoint to start from; empty: fresh weights for `config`
  nlohmann::json config;      ///< config.json of a fresh model
  uint64_t initial_seed = 0;  ///< of the fresh weights
  TextSource text;
  TrainOptions options;  ///< checkpoint_every -1: ten times in the run
  std::string output;    ///< folder of the trained model; may be empty
};

/// Reads a recipe. Throws Error(Usage) by line for keys that it does not know and values out of range.
Recipe read_recipe(const std::string& path);

/// Everything that a run needs, in memory.
struct PreparedRun {
  nn::Model start;
  data::Tokenizer tokenizer;
  data::EncodedCorpus corpus;
  TrainOptions options;
  data::CorpusManifest manifest = {};  ///< what the corpus was made of
};

/// Loads or initialises the model, reads and encodes the corpus.
PreparedRun prepare(const Recipe& recipe, at::ScalarType dtype);

}  // namespace assay::train
