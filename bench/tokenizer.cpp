// How fast text becomes tokens, in bytes a second on one thread, document by document: GPT-2's and SmolLM2's byte-level
// BPE and stories260K's SentencePiece BPE on plays (tinyshakespeare, many names) and on stories (tinystories_1000,
// plain words). What is absent under $ASSAY_DATA (else ../shared/data) is skipped.
#include "assay/data/tokenizer.h"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "assay/data/corpus.h"

namespace {

std::string data_path(const std::string& relative) {
  const char* root = std::getenv("ASSAY_DATA");
  return std::string(root != nullptr ? root : "../shared/data") + "/" + relative;
}

void encode_documents(benchmark::State& state, const std::string& tokenizer_path, const std::string& text,
                      const std::string& separator) {
  if (!std::filesystem::exists(tokenizer_path) || !std::filesystem::exists(data_path(text))) {
    state.SkipWithError("no data");
    return;
  }
  const assay::data::Tokenizer tokenizer = assay::data::load_tokenizer(tokenizer_path);
  const assay::data::Corpus corpus = assay::data::read_corpus(data_path(text), {.separator = separator});
  int64_t bytes = 0, tokens = 0;
  for (auto _ : state) {
    for (const auto& document : corpus.documents) {
      tokens += static_cast<int64_t>(tokenizer.encode(document.text).size());
      bytes += static_cast<int64_t>(document.text.size());
    }
  }
  state.SetBytesProcessed(bytes);
  state.SetItemsProcessed(tokens);
}

void plays_by_gpt2(benchmark::State& state) {
  encode_documents(state, data_path("tokenizers/gpt2"), "text/tinyshakespeare.txt", "\n\n");
}

void stories_by_gpt2(benchmark::State& state) {
  encode_documents(state, data_path("tokenizers/gpt2"), "text/tinystories_1000.txt", "<|endoftext|>");
}

void stories_by_smollm2(benchmark::State& state) {
  encode_documents(state, "build/models/smollm2", "text/tinystories_1000.txt", "<|endoftext|>");
}

void stories_by_stories260k(benchmark::State& state) {
  encode_documents(state, data_path("models/stories260K"), "text/tinystories_1000.txt", "<|endoftext|>");
}

BENCHMARK(plays_by_gpt2)->Unit(benchmark::kMillisecond);
BENCHMARK(stories_by_gpt2)->Unit(benchmark::kMillisecond);
BENCHMARK(stories_by_smollm2)->Unit(benchmark::kMillisecond);
BENCHMARK(stories_by_stories260k)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
