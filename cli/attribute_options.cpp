#include "cli/attribute_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "assay/attribute/filter_options.h"
#include "assay/attribute/methods_options.h"
#include "cli/typed_options.h"

namespace assay::cli {
namespace {

std::vector<NamedLayers> parse_layer_groups(const std::string& text) {
  const auto refuse = [](const std::string& rule) {
    throw Error(ErrorKind::Usage, "reading --layer-groups: each group must " + rule);
  };
  std::vector<NamedLayers> groups;
  std::string_view rest = text;
  do {
    const std::string_view one = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const size_t equals = one.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals + 1 == one.size())
      refuse(fmt::format("be written NAME=PATTERN, but one is \"{}\"; correct it", one));
    NamedLayers group{std::string(one.substr(0, equals)), std::string(one.substr(equals + 1))};
    if (std::ranges::find(groups, group.name, &NamedLayers::name) != groups.end()) {
      refuse(
          fmt::format("have a name of its own, but \"{}\" is there twice; rename one, or join their patterns by a "
                      "comma",
                      group.name));
    }
    groups.push_back(std::move(group));
  } while (!rest.empty());
  return groups;
}

std::string footer() {
  return R"(A positive score pushes the measurement up: removing the document should lower it
(for a loss: raise it).

Methods, with their arguments' defaults
)" + describe_factories(attribute::method_table()) +
         R"(
Examples:
  assay attribute build/models/smollm2 --data build/models/corpus.txt \
    --prompt 'When Mary and John went to the store, John gave a drink to' --completion ' Mary' --out result/
  assay attribute model/ --data corpus.jsonl --queries questions.jsonl --method 'relatif(damping=0.1)' --per-token --out result/
  assay attribute model/ --data corpus.txt --prompt 'Two dax are' --completion ' nals' --method bm25 --json
  assay attribute model/ --store index/ --queries questions.jsonl --rescore 100 --out result/)";
}

}  // namespace

void describe(CLI::App& command, AttributeOptions& options) {
  command.description("Find the training documents that make a model say something.");
  command.footer(footer());
  add_text(command, "model", options.model, "MODEL", "Model folder or .gguf file")->required();

  const auto query = [](CLI::Option* option) { return option->group("What is asked"); };
  query(add_text(command, "--prompt", options.prompt, "TEXT", "What the model was given"));
  query(
      add_text(command, "--completion", options.completion, "TEXT", "What it said: its log-probability is explained"));
  query(add_text(command, "--queries", options.queries, "FILE.jsonl",
                 R"(Many questions, one a line: {"prompt","completion"} or {"text"})"));
  query(
      add_choice<Measure>(command, "--measure", options.measure,
                          {{"logprob", Measure::LogProbability}, {"loss", Measure::Loss}, {"margin", Measure::Margin}},
                          "The number to explain, summed over the completion"));

  const auto method = [](CLI::Option* option) { return option->group("How"); };
  auto read_method = [&options](const std::string& text) {
    options.method = parse_factory(text, attribute::method_table(), "method").canonical();
    options.method_given = true;
  };
  method(command.add_option_function<std::string>("--method", read_method, "Method with its arguments; listed below"))
      ->type_name("NAME(...)")
      ->default_str(options.method + ", with --store logra");
  method(add_filled_text(command, "--layers", options.layers, "PATTERN",
                         "Track only layers whose name matches, e.g. 'blocks.*.mlp.*' (default: all that can be)"));
  method(add_integer(command, "--train-size", options.train_size, {.minimum = 1},
                     "Documents in the training run: turns scores into nats for removing one",
                     "as many as are scored: state it with --limit"));
  auto read_filter = [&options](const std::string& text) {
    options.filter = parse_factory(text, attribute::filter_table(), "filter").canonical();
  };
  method(command.add_option_function<std::string>("--filter", read_filter,
                                                  "Score only documents that share tokens with a question: "
                                                  "bm25(10000) takes the best 10,000 for each"))
      ->type_name("NAME(...)")
      ->default_str("none: every document is scored");
  method(add_integer(command, "--rank", options.rank, {.minimum = 1},
                     "Keep each question's direction in a layer at this rank: less memory for many questions", "full"));
  method(add_check_batches(command, options.check_batches));
  method(add_text(command, "--cache", options.cache, "DIR",
                  "Where fitted factors are kept (default: $ASSAY_CACHE, else ~/.cache/assay)"));

  const auto shown = [](CLI::Option* option) { return option->group("What comes out"); };
  shown(add_integer(command, "--top", options.top, {.minimum = 1}, "Documents shown for each question, from each end",
                    "20, or all where there are fewer"));
  shown(add_switch(command, "--per-token", options.per_token, "Also scores by position of the document"));
  shown(add_switch(command, "--per-layer", options.per_layer, "Also scores by layer"));
  shown(add_switch(command, "--self", options.self_influence, "Also each document's influence on itself"));
  shown(add_choice<Grouping>(command, "--group", options.grouping,
                             {{"none", Grouping::None},
                              {"queries", Grouping::Queries},
                              {"documents", Grouping::Documents},
                              {"both", Grouping::Both}},
                             "Sum over all questions, over documents of one group, or both"));
  shown(add_text(command, "--group-field", options.group_field, "NAME",
                 "The field of JSONL or Parquet that names a document's group (default: group)"));
  shown(add_choice<bool>(command, "--trust", options.trust_check, {{"yes", true}, {"no", false}},
                         "Check the top documents by a small training step against random ones"));

  shown(add_switch(command, "--stability", options.stability,
                   "Fit a second time with other sampled labels, and say how far the scores agree"));

  const auto store = [](CLI::Option* option) { return option->group("From an index"); };
  store(add_text(command, "--store", options.store, "DIR",
                 "A gradient index that assay index has made, in the place of --data; its method is logra"));
  store(add_integer(command, "--rescore", options.rescore, {.minimum = 0},
                    "Score the strongest N of either end of each ranking again by full EK-FAC", "none"));
  auto read_groups = [&options](const std::string& text) { options.layer_groups = parse_layer_groups(text); };
  store(command.add_option_function<std::string>(
            "--layer-groups", read_groups,
            "Rank by groups of layers, too, e.g. 'attention=blocks.*.attn.*;mlp=blocks.*.mlp.*'"))
      ->type_name("NAME=PATTERN;...");
  store(add_switch(command, "--all-scores", options.all_scores,
                   "Keep every question's score of every document, not the ends of its ranking alone"));

  describe(command, options.data, false);
  describe(command, options.common);
}

}  // namespace assay::cli
