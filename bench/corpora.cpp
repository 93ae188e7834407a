// How fast a corpus of any size becomes tokens, and what that takes of memory: reading alone, tokenising into shards,
// and walking the shards again, from plain text, JSONL and JSONL under Zstandard. The corpus is tinystories_1000
// written out again and again, a number before each copy of a story so that none stands twice; each case runs in a
// process of its own, whose peak is read from the system.
//
//   build/bench/bench_corpora [--quick] [--benchmark_out=FILE]        run from the project's root
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "assay/data/corpus.h"
#include "assay/data/token_shards.h"

namespace {

namespace fs = std::filesystem;
using namespace assay;
using nlohmann::json;

std::string data_folder() {
  const char* root = std::getenv("ASSAY_DATA");
  return root != nullptr ? root : "../shared/data";
}

/// The stories `copies` times over, as plain text, JSONL and JSONL.zst.
void write_corpora(const fs::path& folder, int copies) {
  const data::Corpus stories = data::read_corpus(data_folder() + "/text/tinystories_1000.txt");
  std::ofstream text(folder / "stories.txt"), lines(folder / "stories.jsonl"), packed(folder / "stories.jsonl.zst");
  std::string block;
  for (int copy = 0; copy < copies; ++copy) {
    block.clear();
    for (const data::Document& story : stories.documents) {
      const std::string told = fmt::format("{} {}", copy, story.text);
      text << told << "\n<|endoftext|>\n";
      block += json{{"id", copy}, {"text", told}}.dump() + "\n";
    }
    lines << block;
    std::string frame(ZSTD_compressBound(block.size()), '\0');
    frame.resize(ZSTD_compress(frame.data(), frame.size(), block.data(), block.size(), 3));
    packed << frame;
  }
}

/// Seconds and peak memory of `work` in a process of its own; its own number (of bytes, tokens) comes back.
struct Measured {
  double seconds = 0, number = 0;
  double peak_bytes = 0;
};

Measured apart(const std::function<double()>& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = fork();  // before any thread of LibTorch has run in this process
  if (child == 0) {
    const auto begin = std::chrono::steady_clock::now();
    double result[2] = {0, 0};
    try {
      result[1] = work();
    } catch (const std::exception& error) {
      fmt::print(stderr, "{}\n", error.what());
      _exit(1);
    }
    result[0] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    _exit(write(ends[1], result, sizeof(result)) == sizeof(result) ? 0 : 1);
  }
  close(ends[1]);
  double result[2] = {0, 0};
  const bool has_answered = read(ends[0], result, sizeof(result)) == sizeof(result);
  close(ends[0]);
  int status = 0;
  rusage used = {};
  wait4(child, &status, 0, &used);
  if (!has_answered || status != 0) throw std::runtime_error("a case failed");
  return {result[0], result[1], 1024.0 * static_cast<double>(used.ru_maxrss)};
}

class Table {
 public:
  Table() { fmt::print("{:<44}{:>10}{:>12}{:>14}{:>12}\n", "", "seconds", "MB/s", "tokens/s", "peak MB"); }

  void add(const std::string& name, double text_bytes, const Measured& measured) {
    fmt::print("{:<44}{:>10.2f}{:>12.1f}{:>14.0f}{:>12.0f}\n", name, measured.seconds,
               text_bytes / measured.seconds / 1e6, measured.number / measured.seconds, measured.peak_bytes / 1e6);
    std::fflush(stdout);
    rows_.push_back({{"name", name},
                     {"seconds", measured.seconds},
                     {"text_bytes_per_second", text_bytes / measured.seconds},
                     {"tokens_per_second", measured.number / measured.seconds},
                     {"peak_bytes", measured.peak_bytes}});
  }
  const json& rows() const { return rows_; }

 private:
  json rows_ = json::array();
};

double read_all(const std::string& path) {
  data::CorpusReader reader(data::find_corpus_files(path), {});
  while (reader.next()) {
  }
  return 0;
}

double tokenize(const std::string& path, const std::string& folder, const std::string& model) {
  const data::Tokenizer tokenizer = data::load_tokenizer(model);
  const data::ShardJob job{
      .folder = folder, .files = data::find_corpus_files(path), .reading = {}, .encoding = {.context = 512}};
  return static_cast<double>(data::write_token_shards(job, tokenizer, silent_progress()).tokens);
}

double walk(const std::string& folder, const std::string& model) {
  const data::Tokenizer tokenizer = data::load_tokenizer(model);
  const data::TokenizedCorpus corpus = data::read_token_shards(folder, {}, tokenizer, {}, silent_progress());
  int64_t sum = 0;
  for (const data::ExampleView example : std::as_const(corpus.encoded.dataset.examples))
    for (const int32_t token : example.tokens) sum += token;
  return sum > 0 ? static_cast<double>(corpus.encoded.dataset.tokens()) : 0;
}

void run_all(Table& table, const fs::path& folder, const std::string& model) {
  const double bytes = static_cast<double>(fs::file_size(folder / "stories.txt"));
  const auto path = [&](const char* name) { return (folder / name).string(); };
  for (const char* name : {"stories.txt", "stories.jsonl", "stories.jsonl.zst"})
    table.add(fmt::format("read {}", name), bytes, apart([&] { return read_all(path(name)); }));
  for (const char* name : {"stories.txt", "stories.jsonl", "stories.jsonl.zst"}) {
    const std::string shards = path("shards-") + name;
    table.add(fmt::format("tokenize {}", name), bytes, apart([&] { return tokenize(path(name), shards, model); }));
  }
  table.add("open, verify and walk the shards", bytes, apart([&] { return walk(path("shards-stories.txt"), model); }));
}

}  // namespace

int main(int count, char** arguments) {
  std::string file;
  bool quick = false;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    quick = quick || argument == "--quick";
    if (argument.starts_with("--benchmark_out=")) file = argument.substr(argument.find('=') + 1);
  }
  const std::string model = data_folder() + "/tokenizers/gpt2";
  if (!fs::exists(model) || !fs::exists(data_folder() + "/text/tinystories_1000.txt")) {
    fmt::print("corpora: skipped, {} or the stories are absent\n", model);
    return EXIT_SUCCESS;
  }
  const fs::path folder = fs::temp_directory_path() /
                          fmt::format("assay-bench-{}", std::chrono::steady_clock::now().time_since_epoch().count());
  int outcome = EXIT_SUCCESS;
  try {
    fs::create_directories(folder);
    write_corpora(folder, quick ? 30 : 600);
    fmt::print("{} MB of stories, GPT-2's tokens, texts of up to 512\n\n",
               fs::file_size(folder / "stories.txt") / 1'000'000);
    Table table;
    run_all(table, folder, model);
    if (!file.empty()) std::ofstream(file) << json{{"benchmarks", table.rows()}}.dump(1) << "\n";
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    outcome = EXIT_FAILURE;
  }
  fs::remove_all(folder);
  return outcome;
}
