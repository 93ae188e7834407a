#include "cli/index_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

void describe(CLI::App& command, IndexOptions& options) {
  using attribute::IndexCurvature;
  using attribute::ProjectionKind;
  using attribute::RowType;
  command.description("Log the projected gradients of a corpus once, so that many questions to it cost little each.");
  command.footer(
      R"(Every document leaves one row: for each layer the rank-out by rank-in numbers of its projected gradient.
Questions are put to it by assay attribute MODEL --store DIR. A layer's bias is projected with its weights.
Killed at any moment, the same command goes on.

Examples:
  assay index build/models/smollm2 --data build/models/corpus.txt --out index/
  assay index model/ --data corpus.jsonl --out index/ --projection pca --rank 32 --store-dtype bf16 --plan
  assay index model/ --data more.jsonl --out index/ --append)");
  add_text(command, "model", options.model, "MODEL", "Model folder or .gguf file")->required();

  const auto how = [](CLI::Option* option) { return option->group("How"); };
  how(add_filled_text(command, "--layers", options.layers, "PATTERN",
                      "Index only layers whose name matches, e.g. 'blocks.*.mlp.*' (default: all that can be)"));
  how(add_integer(command, "--rank", options.rank, {.minimum = 1, .maximum = 1 << 20},
                  "Dimensions kept of a layer's inputs and of its outputs", "16"));
  how(add_integer(command, "--rank-in", options.rank_in, {.minimum = 1, .maximum = 1 << 20}, "Of its inputs alone",
                  "as --rank"));
  how(add_integer(command, "--rank-out", options.rank_out, {.minimum = 1, .maximum = 1 << 20}, "Of its outputs alone",
                  "as --rank"));
  how(add_choice<ProjectionKind>(command, "--projection", options.settings.projection,
                                 {{"random", ProjectionKind::Random}, {"pca", ProjectionKind::Principal}},
                                 "Random directions by the seed, or the strongest ones, which take a walk more to find")
          ->each([&options](const std::string&) { options.projection_given = true; }));
  how(add_choice<IndexCurvature>(
          command, "--curvature", options.settings.curvature,
          {{"raw", IndexCurvature::Raw}, {"kfac", IndexCurvature::Kfac}, {"ekfac", IndexCurvature::Ekfac}},
          "What weighs the projected gradients: their whole second moment, or its Kronecker form")
          ->each([&options](const std::string&) { options.curvature_given = true; }));
  how(add_choice<RowType>(command, "--store-dtype", options.settings.rows,
                          {{"fp32", RowType::Float32},
                           {"bf16", RowType::BFloat16},
                           {"fp16", RowType::Float16},
                           {"int8", RowType::Int8},
                           {"fp64", RowType::Float64}},
                          "How numbers lie on disk; fp16 and int8 have a scale for each row and layer")
          ->each([&options](const std::string&) { options.type_given = true; }));
  how(add_switch(command, "--append", options.append,
                 "Put the documents behind those of an index that is there; it keeps its model, projection and type"));
  how(add_check_batches(command, options.check_batches));
  how(add_text(command, "--cache", options.cache, "DIR",
               "Where covariances for --projection pca are kept (default: $ASSAY_CACHE, else ~/.cache/assay)"));
  describe(command, options.data, true);
  describe(command, options.common, {.kept = "the index itself, and result.json"});
}

}  // namespace assay::cli
