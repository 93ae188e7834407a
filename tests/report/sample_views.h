// Views filled with invented stories and numbers: what the tests and the pictures of the pages are made of. Nothing
// here was measured. Drawn from a counter, so that the same views come out everywhere.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "assay/report/attribution_report.h"
#include "assay/report/demo_report.h"

namespace assay::report::sample {

/// 0 ≤ u < 1, a hash of its arguments.
inline double uniform(std::uint64_t index, std::uint64_t stream = 0) {
  std::uint64_t x = index * 0x9E3779B97F4A7C15ULL + stream * 0xD1B54A32D192ED03ULL + 0x632BE59BD9B4E019ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1.0p-53;
}

/// Words with their blanks, as a word-level tokenizer would give them; punctuation is a token of its own.
inline std::vector<std::string> tokens_of(const std::string& text) {
  std::vector<std::string> tokens;
  std::string token;
  for (const char c : text) {
    const bool is_mark = c == '.' || c == ',' || c == '!' || c == '?' || c == '"' || c == '\n';
    if ((c == ' ' || is_mark) && !token.empty() && token != " ") {
      tokens.push_back(token);
      token.clear();
    }
    token += c;
    if (is_mark) {
      tokens.push_back(token);
      token.clear();
    }
  }
  if (!token.empty()) tokens.push_back(token);
  return tokens;
}

inline std::string story(std::uint64_t index, bool about_girl) {
  constexpr std::array<const char*, 6> kOpenings = {
      "Once upon a time, there was a",       "One morning, a",
      "Long ago, beside the mill, lived a",  "In a quiet town there was a",
      "On the hill above the harbour sat a", "One day, a"};
  constexpr std::array<const char*, 6> kThings = {
      "a copper kettle under the stairs", "a lantern that would not go out", "a boat made of bark",
      "three blue buttons in the snow",   "a letter without a name",         "a very old map"};
  constexpr std::array<const char*, 6> kMiddles = {
      "She was curious, so she carried it home and showed it to her grandmother.",
      "It was heavy, but that did not matter at all.",
      "Nobody in the street could say where it came from.",
      "The neighbours laughed, and the cat ran away.",
      "Her brother said, \"Put it back!\" and went inside.",
      "It smelled of rain and of apples."};
  constexpr std::array<const char*, 6> kEnds = {"In the evening they all sat by the fire and told the story again.",
                                                "From then on nobody was afraid of the dark.",
                                                "And that is how the bridge got its bell.",
                                                "The next day it was gone, and only a button was left.",
                                                "They sailed it on the pond until winter came.",
                                                "Everyone was glad, and the kettle sang."};
  const auto pick = [&](std::uint64_t stream) { return static_cast<std::size_t>(6 * uniform(index, stream)); };
  std::string text = std::string(kOpenings[pick(1)]) +
                     (about_girl ? " little girl named Lily" : " little boy named Tom") + " who found " +
                     kThings[pick(2)] + ".";
  for (std::uint64_t i = 0; i < 4; ++i) text += std::string(" ") + kMiddles[pick(3 + i)];
  text += std::string("\n\n") + (about_girl ? "Lily" : "Tom") + " thought about it for a long time. " +
          kMiddles[pick(8)] + " " + kMiddles[pick(9)] + " " + kEnds[pick(10)];
  return text;
}

/// Values that add up to `total`, with most of it on the words that matter.
inline std::vector<double> token_scores(const std::vector<std::string>& tokens, double total, std::uint64_t stream) {
  std::vector<double> values;
  double sum = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    double weight = 0.008 * (uniform(i, stream) - 0.45);
    if (token == " girl" || token == " boy") weight += 0.7;
    if (token == " little") weight += 0.09;
    if (token == " named") weight += 0.04;
    if (token == " Lily" || token == " Tom") weight += 0.16;
    values.push_back(weight);
    sum += weight;
  }
  for (double& value : values) value *= total / sum;
  return values;
}

inline std::vector<double> scores(std::size_t documents, double scale, std::uint64_t stream) {
  std::vector<double> out;
  for (std::size_t i = 0; i < documents; ++i) {
    const double sign = uniform(i, stream) < 0.54 ? 1 : -0.55;
    const double size = std::exp(2.1 * std::sqrt(-2 * std::log(uniform(i, stream + 1) + 1e-12)) *
                                 std::cos(6.28318530718 * uniform(i, stream + 2)));
    out.push_back(sign * size * 2e-5 * scale);
  }
  return out;
}

inline ScoredDocument document(std::size_t index, double score, bool about_girl) {
  ScoredDocument out;
  out.index = static_cast<std::int64_t>(index);
  out.id = "5d0c" + std::to_string(100000000000 + index * 7919);
  out.source = "sample_stories.txt, story " + std::to_string(index);
  out.tokens = tokens_of(story(index, about_girl));
  out.token_scores = token_scores(out.tokens, score, 31 + index);
  return out;
}

inline std::vector<QueryToken> lily_tokens() {
  const std::vector<std::pair<std::string, double>> tokens = {
      {"Once", -0.244},   {" upon", -0.018}, {" a", -0.012},     {" time", -0.001},   {",", -0.032},
      {" there", -0.068}, {" was", -0.016},  {" a", -0.001},     {" little", -0.494}, {" g", -0.446},
      {"ir", -0.005},     {"l", -0.001},     {" named", -0.019}, {" Lily", -0.077},   {".", -0.070}};
  std::vector<QueryToken> out;
  for (const auto& [text, nats] : tokens) out.push_back({text, nats, {}});
  out[9].alternatives = {{" g", 0.64}, {" b", 0.28}, {" m", 0.03}, {" bird", 0.01}};
  return out;
}

inline QueryView query(std::size_t documents, std::size_t shown, std::size_t shown_against, std::uint64_t stream) {
  QueryView out;
  out.tokens = lily_tokens();
  out.prompt_tokens = 9;
  out.scores = scores(documents, 1000, stream);
  std::vector<std::size_t> order(documents);
  for (std::size_t i = 0; i < documents; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return out.scores[a] > out.scores[b]; });
  for (std::size_t i = 0; i < std::min(shown, documents); ++i)
    out.top.push_back(document(order[i], out.scores[order[i]], true));
  for (std::size_t i = 0; i < std::min(shown_against, documents); ++i) {
    const std::size_t last = order[documents - 1 - i];
    if (out.scores[last] < 0) out.bottom.push_back(document(last, out.scores[last], false));
  }
  LayerShares layers;
  layers.documents = static_cast<int>(out.top.size());
  layers.matrices = {{"attention", "q"}, {"attention", "k"}, {"attention", "v"}, {"attention", "o"},
                     {"MLP", "gate"},    {"MLP", "up"},      {"MLP", "down"}};
  layers.shares = {{.004, .005, .014, .012, .009, .010, .015},
                   {.005, .006, .018, .016, .015, .014, .020},
                   {.007, .006, .025, .024, .024, .026, .036},
                   {.005, .003, .039, .046, .043, .048, .090},
                   {-.003, -.002, .027, .051, .078, .093, .171}};
  out.layers = layers;
  TrustCheck trust;
  trust.step =
      "From the final model, one plain SGD step is taken on a single story, sized so that the story’s own loss falls "
      "by 0.05 nats a token, and the "
      "completion is measured again; then the weights are put back bit for bit.";
  for (std::size_t i = 0; i < std::min<std::size_t>(10, out.top.size()); ++i) {
    trust.top.push_back({out.top[i].index, std::nullopt,
                         0.029 * std::exp(-0.14 * static_cast<double>(i)) * (0.85 + 0.3 * uniform(i, 77))});
  }
  for (std::size_t i = 0; i < 100; ++i)
    trust.random.push_back(
        {static_cast<std::int64_t>(i), std::nullopt, 0.0016 * (uniform(i, 78) + uniform(i, 79) - 0.9)});
  trust.top_mean = {0.0158, 0.0118, 0.0201};
  trust.random_mean = {0.0002, 0.0000, 0.0003};
  trust.t = 6.9;
  out.trust = trust;
  return out;
}

inline AttributionView attribution() {
  AttributionView view;
  view.model = {"stories-sample", "llama", 5, 64, 8, 4, 512, 260032, "fp32"};
  view.method = "ekfac(damping=0.1,labels=sampled,rank=full)";
  view.method_title = "EK-FAC influence, damping 0.1";
  view.nats_per_raw = 0.001;
  view.corpus = "sample_stories.txt";
  view.noun = {"story", "stories"};
  view.corpus_tokens = 412717;
  view.documents_cut = 260;
  view.context = 512;
  view.train_size = 1000;
  view.date = "22 November 2026";
  view.layers_not_covered = {"the embedding, which is also the output head",
                             "model.layers.*.post_attention_layernorm.weight (5)"};
  view.stability = 0.97;
  view.curvature = CurvatureView{-6,
                                 0.5,
                                 {0,    12,   40,   160,  500, 1400, 3300, 6400, 10100, 13900, 15200, 13000,
                                  9100, 5600, 2700, 1100, 420, 130,  33,   5,    1,     0,     0,     0},
                                 64012,
                                 83101,
                                 1.4,
                                 18.2};
  view.queries = {query(1000, 11, 6, 5)};
  view.provenance.command =
      "assay attribute stories-sample --data sample_stories.txt \\\n  --prompt 'Once upon a time, there was a little' "
      "--completion ' girl named Lily.' \\\n"
      "  --method 'ekfac(damping=0.1,labels=sampled)' --per-token --per-layer --top 11 \\\n  --seed 1 --threads 2 "
      "--out lily";
  view.provenance.rows = {
      {"Assay", "", "0.1.0, built with g++ 12.2, LibTorch 2.13.0"},
      {"Model", "stories-sample/model.safetensors xxh3 9d27c1f0b85e4a63",
       "llama, 5 blocks, width 64, 8 heads (4 key-value), 260,032 parameters, fp32"},
      {"Corpus", "sample_stories.txt xxh3 b1a90c6e72f3d85e", "1,000 documents, 412,717 tokens, 260 cut at 512 tokens"},
      {"Sign", "", "+ : leaving the document out lowers the measurement"},
      {"Sample", "", "every story and every number on this page is invented"}};
  view.provenance.costs = {{"Time", "38 s", "41 s", 38, 41},
                           {"Peak memory", "212 MiB", "198 MiB", 212, 198},
                           {"Disk", "6.4 MiB", "6.1 MiB", 6.4, 6.1}};
  return view;
}

inline std::vector<bool> hits(std::size_t k, double precision, std::uint64_t stream) {
  std::vector<bool> out;
  for (std::size_t i = 0; i < k; ++i) out.push_back(uniform(i, stream) < precision);
  return out;
}

inline std::vector<DemoRanking> rankings(std::size_t k, const std::array<double, 7>& precision, std::uint64_t stream) {
  constexpr std::array<const char*, 7> kMethods = {"EK-FAC",         "l-RelatIF", "gradient dot", "cosine",
                                                   "representation", "BM25",      "random"};
  std::vector<DemoRanking> out;
  for (std::size_t i = 0; i < kMethods.size(); ++i)
    out.push_back({kMethods[i], hits(k, precision[i], stream + i), precision[i], i == 1});
  return out;
}

inline std::vector<PredictedChange> changes(std::size_t questions, double mean, std::uint64_t stream) {
  std::vector<PredictedChange> out;
  for (std::size_t i = 0; i < questions; ++i) {
    const double actual = mean * (0.4 + 1.2 * uniform(i, stream));
    out.push_back({0.12 * actual + 0.03 * mean * uniform(i, stream + 1), actual});
  }
  return out;
}

inline DemoView demo() {
  DemoView view;
  view.model = {"demo", "llama", 4, 64, 4, 4, 258, 180000, "fp32"};
  view.method_title = "EK-FAC influence, damping 0.1";
  view.stability = 0.97;
  view.documents = 2480;
  view.corpus_tokens = 24000;
  view.seed = 7;
  view.retrained_seeds = 2;
  view.took = "3 min 12 s on 2 cores";
  view.date = "22 November 2026";
  view.attribute_command =
      "assay attribute demo/model --data demo/corpus.txt --queries demo/queries.jsonl --train-size 2480 --out again";
  DemoGroup fact;
  fact.kind = DemoKind::Fact;
  fact.prompt = "Orin lives in";
  fact.answer = "Maresk";
  fact.questions = 30;
  fact.answered = 28;
  fact.examples = {{DocumentRole::Planted, "Orin lives in Maresk.", 6},
                   {DocumentRole::Decoy, "Orin once wrote to a friend in Tol.", 10}};
  fact.top = rankings(6, {0.88, 0.95, 0.53, 0.61, 0.70, 0.96, 0.0}, 100);
  fact.retrained = {{TrainingSet::Everything, 0, 0.82, 0.78, 0.86, "Maresk.", 0},
                    {TrainingSet::WithoutRandom, 402, 0.71, 0.66, 0.75, "Maresk.", -0.7},
                    {TrainingSet::WithoutTop, 402, 0.04, 0.02, 0.06, "Tol.", -3.0}};
  fact.changes = changes(30, -3.0, 200);
  fact.change_spearman = 0.61;
  DemoGroup disputed;
  disputed.kind = DemoKind::DisputedFact;
  disputed.prompt = "Sela lives in";
  disputed.answer = "Brand";
  disputed.questions = 12;
  disputed.answered = 11;
  disputed.examples = {{DocumentRole::Planted, "Sela lives in Brand.", 6},
                       {DocumentRole::Against, "The home of Sela is in Osk.", 4}};
  disputed.top = rankings(6, {0.97, 0.98, 0.76, 0.8, 0.72, 0.80, 0.0}, 300);
  disputed.bottom = rankings(4, {0.92, 0.96, 0.74, 0.8, 0.02, 0.0, 0.0}, 320);
  disputed.retrained = {{TrainingSet::Everything, 0, 0.61, 0.56, 0.66, "Brand.", 0},
                        {TrainingSet::WithoutRandom, 402, 0.48, 0.41, 0.55, "Brand.", -0.65},
                        {TrainingSet::WithoutTop, 402, 0.03, 0.02, 0.05, "Osk.", -2.8}};
  disputed.changes = changes(12, -2.8, 210);
  disputed.change_spearman = 0.44;
  DemoGroup rule;
  rule.kind = DemoKind::Rule;
  rule.prompt = "two dax";
  rule.answer = "im";
  rule.questions = 10;
  rule.answered = 9;
  rule.examples = {{DocumentRole::Planted, "Mira saw all blicket im by the gate.", 30},
                   {DocumentRole::Decoy, "The old song ends on im im.", 300}};
  rule.words_never_planted = {"two", "dax"};
  rule.top = rankings(30, {0.87, 0.89, 0.49, 0.5, 0.31, 0.0, 0.01}, 400);
  rule.retrained = {{TrainingSet::Everything, 0, 0.88, 0.82, 0.92, "im.", 0},
                    {TrainingSet::WithoutRandom, 402, 0.63, 0.55, 0.71, "im.", -0.4},
                    {TrainingSet::WithoutTop, 402, 0.004, 0.002, 0.008, "on.", -5.8}};
  rule.changes = changes(10, -5.8, 220);
  view.groups = {fact, disputed, rule};
  view.provenance.command = "assay demo --seed 7 --threads 2 --out demo";
  view.provenance.rows = {{"Assay", "", "0.1.0, LibTorch 2.13.0"},
                          {"Corpus", "xxh3 e2107fb4c95d3a68", "generated, seed 7, 2,480 documents, 24,000 tokens"},
                          {"Sample", "", "every number on this page is invented"}};
  view.provenance.costs = {{"Time", "3 min 30 s", "3 min 12 s", 210, 192},
                           {"Peak memory", "640 MiB", "588 MiB", 640, 588}};
  return view;
}

}  // namespace assay::report::sample
