#include "cli/command_line_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <vector>

#include "assay/attribute/methods_options.h"
#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/core/version.h"
#include "cli/config_options.h"
#include "cli/help_options.h"
#include "cli/typed_options.h"

namespace assay::cli {
namespace {

using Words = std::vector<std::string>;

[[noreturn]] void usage_error(const std::string& message) {
  throw Error(ErrorKind::Usage, message);
}

/// What is amiss between options that each are right by themselves; most commands have nothing to say.
template <typename Options>
void check_together(const Options&) {}

/// The documents of an attribution: a corpus with options of its own, or an index, which has its own answers to them.
void check_source(const AttributeOptions& options) {
  const FactoryCall method = parse_factory(options.method, attribute::method_table(), "method");
  if (options.store.empty()) {
    if (options.data.data.empty()) {
      usage_error(
          "running \"assay attribute\": --data is needed (the documents; or --store, an index of them) and missing; "
          "see "
          "\"assay attribute --help\"");
    }
    const char* name = options.rescore > 0             ? "--rescore"
                       : options.all_scores            ? "--all-scores"
                       : !options.layer_groups.empty() ? "--layer-groups"
                                                       : nullptr;
    if (name != nullptr)
      usage_error(
          fmt::format("reading {0}: it needs --store, which is not given; add --store DIR, or leave out {0}", name));
    if (attribute::reads_index(method))
      usage_error("reading --method: logra needs --store, an index to read, which is not given; add --store DIR");
    return;
  }
  const DataOptions standard;
  const DataOptions& data = options.data;
  const char* of_corpus = !data.data.empty()                         ? "--data"
                          : data.limit != standard.limit             ? "--limit"
                          : data.separator != standard.separator     ? "--separator"
                          : data.field != standard.field             ? "--field"
                          : data.context != standard.context         ? "--context"
                          : data.long_text != standard.long_text     ? "--long"
                          : data.begin_token != standard.begin_token ? "--bos"
                                                                     : nullptr;
  if (of_corpus != nullptr) {
    usage_error(
        fmt::format("reading {0}: with --store the documents are the index's, read as it was made, but {0} is "
                    "given too; leave it out",
                    of_corpus));
  }
  if (options.method_given && !attribute::reads_index(method)) {
    usage_error(
        fmt::format("reading --method: an index is read by logra, but \"{}\" walks over a corpus; leave out "
                    "--method, or give --data in the place of --store",
                    method.name()));
  }
  if (options.per_token)
    usage_error("reading --per-token: an index keeps no positions, but scores by position are asked for; leave it out");
  if (options.grouping == Grouping::Documents || options.grouping == Grouping::Both)
    usage_error("reading --group: an index keeps no groups of documents; leave it out, or use --group queries");
  if (options.rescore > 0 && options.rescore < options.top) {
    usage_error(fmt::format("reading --rescore: it must reach as far as --top, {}, but it is {}; raise it", options.top,
                            options.rescore));
  }
}

/// The size of a training turns scores into nats; what is no prediction of a removal has none.
void check_train_size(const AttributeOptions& options, const FactoryCall& method) {
  if (options.train_size == 0) return;
  if (attribute::reads_index(method)) {
    if (method.is_word("mode", "dot") && options.rescore > 0) return;
    usage_error(
        "reading --train-size: it turns scores into nats, but those of an index have none until --rescore brings them "
        "to the scale of EK-FAC; leave it out, or add --rescore N and use mode=dot");
  }
  if (attribute::predicts_changes(method)) return;
  usage_error(
      fmt::format("reading --train-size: it turns scores into nats, but those of {} have none; leave it out, or choose "
                  "ekfac",
                  method.name()));
}

void check_together(const AttributeOptions& options) {
  const bool has_pair = !options.prompt.empty() || !options.completion.empty();
  if (has_pair && !options.queries.empty()) {
    usage_error(
        "reading the question: it must come from --prompt and --completion or from --queries, but both are given; "
        "leave "
        "one of them out");
  }
  if (options.queries.empty() && options.completion.empty()) {
    usage_error("reading the question: --prompt with --completion, or --queries FILE.jsonl, is needed and " +
                std::string(options.prompt.empty() ? "none is given; add one of them"
                                                   : "--completion is missing or empty; add --completion TEXT"));
  }
  check_source(options);
  const FactoryCall method = parse_factory(options.method_given || options.store.empty() ? options.method : "logra",
                                           attribute::method_table(), "method");
  const bool wants_parts = options.per_token || options.per_layer || options.self_influence;
  if (wants_parts && !attribute::uses_gradients(method)) attribute::refuse_parts(method.name());
  if (options.check_batches == CheckBatches::Yes && !attribute::uses_gradients(method)) {
    usage_error(
        fmt::format("reading --check-batches: the method must take gradients of documents in batches, but {} "
                    "takes none; leave it out",
                    method.name()));
  }
  if (options.stability) attribute::require_sampled_labels(method);
  check_train_size(options, method);
  if (attribute::reads_index(method) && method.is_word("mode", "l2") &&
      (options.per_layer || !options.layer_groups.empty()))
    attribute::refuse_parts_of_l2();
  const bool groups_documents = options.grouping == Grouping::Documents || options.grouping == Grouping::Both;
  if (groups_documents && (options.per_token || options.self_influence)) {
    usage_error(
        fmt::format("reading --group: a group of documents has neither tokens nor an influence on itself that "
                    "its documents add up to, but {} is given too; leave one of them out",
                    options.per_token ? "--per-token" : "--self"));
  }
  if (wants_parts && options.common.out.empty() && !options.common.plan) {
    const char* name = options.per_token ? "--per-token" : options.per_layer ? "--per-layer" : "--self";
    usage_error(fmt::format(
        "reading {}: its array goes to scores.safetensors in the folder of --out, which is not given; add --out DIR",
        name));
  }
  if (!groups_documents && !options.group_field.empty()) {
    usage_error(
        fmt::format("reading --group-field: it names what documents are grouped by, but they are not grouped; "
                    "add --group documents, or leave out --group-field {}",
                    options.group_field));
  }
}

void check_together(const IndexOptions& options) {
  if (options.common.out.empty() && !options.common.plan)
    usage_error(
        "running \"assay index\": --out is needed (the folder that becomes the index) and missing; add --out DIR");
  if (options.append && options.common.out.empty())
    usage_error("reading --append: the index must be named by --out, which is not given; add --out DIR");
  if (options.append && options.common.force)
    usage_error("reading --append: it keeps what the folder holds and --force throws it away; leave one of them out");
}

void check_together(const GenerateOptions& options) {
  if (!options.system.empty() && !options.chat) {
    usage_error("reading --system: it needs --chat, which is not given; add it");
  }
  if (options.temperature == 0 && (options.top_k > 0 || options.top_p < 1)) {
    usage_error(
        fmt::format("reading {0}: it must stand beside a --temperature above 0, but without one the likeliest token is "
                    "taken each time; add --temperature 1, or leave out {0}",
                    options.top_k > 0 ? "--top-k" : "--top-p"));
  }
}

void check_together(const TokenizeOptions& options) {
  const DataOptions& data = options.data;
  const bool has_data = !data.data.empty();
  if (options.text_given == has_data) {
    usage_error(fmt::format("running \"assay tokenize\": it takes --text TEXT or --data PATH, but {}",
                            has_data ? "both are given; leave one of them out" : "neither is given; add one of them"));
  }
  if (has_data && options.common.out.empty() && !options.common.plan) {
    usage_error(
        "running \"assay tokenize\": token shards go to the folder of --out, which is not given; add --out DIR");
  }
  const DataOptions usual;
  const bool reads_corpus = data.separator != usual.separator || data.field != usual.field || data.limit != 0 ||
                            data.context != 0 || data.long_text != usual.long_text;
  if (!has_data && reads_corpus) {
    usage_error(
        "running \"assay tokenize\": --separator, --field, --limit, --context and --long are for --data, but --text is "
        "given, which is shown whole; leave them out");
  }
}

/// The option that a word such as "--top" or "--top=3" names, or null.
const CLI::Option* find_option(const CLI::App& app, const std::string& name) {
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional() && option->check_name(name)) return option;
  }
  return nullptr;
}

bool is_option_word(const std::string& word) {
  return word.size() > 1 && word[0] == '-';
}

/// What the command line itself says, before values are looked at.
struct Scan {
  bool wants_help = false;
  std::string config;
  Words given;  ///< long names of the options, "--top"
};

Scan scan_words(const CLI::App& app, std::span<const std::string> words) {
  Scan scan;
  for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (!is_option_word(words[i])) continue;
    const std::string name = words[i].substr(0, words[i].find('='));
    const CLI::Option* option = find_option(app, name);
    if (option == nullptr) {
      Words known;
      for (const CLI::Option* each : app.get_options()) known.push_back(display_name(*each));
      usage_error(fmt::format("running \"{}\": \"{}\" is not one of its options{}; list them with \"{} --help\"",
                              app.get_name(), name, closest_clause(name, known), app.get_name()));
    }
    const std::string full_name = display_name(*option);
    if (option->check_lname("help")) scan.wants_help = true;
    if (std::find(scan.given.begin(), scan.given.end(), full_name) != scan.given.end()) {
      usage_error(fmt::format("running \"{}\": {} may be given once, but it is given twice; leave one of them out",
                              app.get_name(), full_name));
    }
    scan.given.push_back(full_name);
    std::string value;
    if (name.size() < words[i].size()) {
      value = words[i].substr(name.size() + 1);
    } else if (option->get_expected_max() > 0) {
      if (++i == words.size()) {
        usage_error(fmt::format("running \"{0}\": {1} needs a value ({2}) and none follows; write {1} {2}",
                                app.get_name(), full_name, option->get_type_name()));
      }
      value = words[i];
    }
    if (option->check_lname("config")) scan.config = value;
  }
  return scan;
}

/// CLI11's refusals in our words.
[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error) {
  const std::string help = fmt::format("see \"{} --help\"", app.get_name());
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_required() && option->empty()) {
      usage_error(fmt::format("running \"{}\": {} is needed ({}) and missing; {}", app.get_name(),
                              display_name(*option), option->get_description(), help));
    }
  }
  const Words extra = app.remaining();
  if (!extra.empty()) {
    usage_error(fmt::format("running \"{}\": \"{}\" is one word too many; quote texts with spaces, and {}",
                            app.get_name(), extra.front(), help));
  }
  usage_error(fmt::format("running \"{}\": {}; {}", app.get_name(), error.what(), help));
}

template <typename Options>
CommandLine parse_as(const std::string& name, std::span<const std::string> words) {
  Options options;
  CLI::App app("", "assay " + name);
  app.set_help_flag();
  describe(app, options);
  bool wants_help = false;  // answered by scan_words, before anything is required
  add_switch(app, "-h,--help", wants_help, "Print this help")->group("Common options");

  const Scan scan = scan_words(app, words);
  if (scan.wants_help) return {.invocation = std::nullopt, .text = command_help(app)};
  Words all = scan.config.empty() ? Words{} : read_config(app, scan.config, scan.given);
  all.insert(all.end(), words.begin(), words.end());
  try {
    std::reverse(all.begin(), all.end());  // CLI11 takes words from the back
    app.parse(all);
  } catch (const CLI::ParseError& error) {
    refuse(app, error);
  }
  if (options.common.device == Device::Cuda) {
    usage_error("reading --device: this version computes on the processor, but it is \"cuda\"; leave --device out");
  }
  check_together(options);
  return {.invocation = Invocation{name, Words(words.begin(), words.end()), options}, .text = {}};
}

template <typename Options>
std::string summary_of() {
  Options options;
  CLI::App app;
  describe(app, options);
  return app.get_description();
}

struct Command {
  std::string name;
  CommandLine (*parse)(const std::string& name, std::span<const std::string> words);
  std::string (*summary)();
};

template <typename Options>
Command command(const std::string& name) {
  return {name, parse_as<Options>, summary_of<Options>};
}

const std::vector<Command>& command_table() {
  static const std::vector<Command> table{
      command<DemoOptions>("demo"),       command<AttributeOptions>("attribute"), command<IndexOptions>("index"),
      command<TrainOptions>("train"),     command<EvaluateOptions>("evaluate"),   command<GenerateOptions>("generate"),
      command<InspectOptions>("inspect"), command<TokenizeOptions>("tokenize"),   command<DoctorOptions>("doctor"),
  };
  return table;
}

const Command& find_command(const std::string& name) {
  Words known;
  for (const Command& each : command_table()) {
    if (each.name == name) return each;
    known.push_back(each.name);
  }
  usage_error(
      fmt::format("running \"assay {}\": it must be one of the commands {}, but there is no \"{}\"{}; list them "
                  "with \"assay --help\"",
                  name, fmt::join(known, ", "), name, closest_clause(name, known)));
}

std::string help_of_program() {
  std::vector<std::pair<std::string, std::string>> commands;
  for (const Command& each : command_table()) commands.emplace_back(each.name, each.summary());
  return program_help(commands);
}

std::string version_text() {
  return fmt::format("{}\nLibTorch {}\ncache    {}\n", version_line(), ASSAY_TORCH_VERSION, default_cache_folder());
}

}  // namespace

CommandLine parse_command_line(std::span<const std::string> arguments) {
  if (arguments.empty()) return {.invocation = std::nullopt, .text = help_of_program()};
  const std::string& first = arguments.front();
  const std::span<const std::string> rest = arguments.subspan(1);
  if (first == "--version" || first == "version") return {.invocation = std::nullopt, .text = version_text()};
  if (first == "help" && !rest.empty()) {
    const Words ask_help{"--help"};
    return find_command(rest.front()).parse(rest.front(), ask_help);
  }
  if (first == "-h" || first == "--help" || first == "help")
    return {.invocation = std::nullopt, .text = help_of_program()};
  if (is_option_word(first)) {
    usage_error(fmt::format("running \"assay {}\": a command must come first; list them with \"assay --help\"", first));
  }
  return find_command(first).parse(first, rest);
}

}  // namespace assay::cli
