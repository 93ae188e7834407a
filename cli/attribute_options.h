#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assay/core/factory.h"
#include "cli/batch_check_options.h"
#include "cli/common_options.h"
#include "cli/data_options.h"

namespace assay::cli {

enum class Measure { LogProbability, Loss, Margin };

/// What is summed before scoring: the queries into one, the documents of one group, both, or nothing.
enum class Grouping { None, Queries, Documents, Both };

/// Layers that a group of --layer-groups is made of.
struct NamedLayers {
  std::string name;
  std::string pattern;
};

/// `assay attribute MODEL --data CORPUS --prompt … --completion …`: which documents push the model to say it.
struct AttributeOptions {
  CommonOptions common;
  DataOptions data;
  std::string model;
  std::string prompt;
  std::string completion;
  std::string queries;           ///< JSONL of {"prompt","completion"} or {"text"}, instead of prompt and completion
  std::string method = "ekfac";  ///< a factory string, checked against attribute::method_table() when parsed
  bool method_given = false;     ///< with a store and without it: logra
  Measure measure = Measure::LogProbability;
  std::string layers;           ///< a pattern over layer names; empty: every layer that the method can track
  bool per_token = false;       ///< also [Q, N, T]
  bool per_layer = false;       ///< also [layers, Q, N]
  bool self_influence = false;  ///< also [N]
  Grouping grouping = Grouping::None;
  CheckBatches check_batches = CheckBatches::Auto;
  std::string group_field;  ///< the JSONL field that names a document's group; empty: "group"
  int64_t top = 0;          ///< documents shown a query; 0: 20, or all where there are fewer
  int64_t train_size = 0;   ///< documents in the training run, for units; 0: the documents given
  bool trust_check = true;  ///< one small training step on the top documents against random ones
  bool stability = false;   ///< fit with a second draw of labels too, and compare
  std::string filter;       ///< a factory string of attribute::filter_table(); empty: every document is scored
  int64_t rank = 0;         ///< of the questions' directions; 0: the method's own
  std::string cache;        ///< empty: the default folder
  std::string store;        ///< a gradient index, in the place of the corpus
  int64_t rescore = 0;      ///< documents from either end of each ranking that EK-FAC scores again; 0: none
  bool all_scores = false;  ///< also [Q, N] from a store
  std::vector<NamedLayers> layer_groups;  ///< ranked by, too, from a store
};

void describe(CLI::App& command, AttributeOptions& options);

}  // namespace assay::cli
