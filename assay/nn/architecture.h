// A family of networks with its sizes fixed: which weights it needs, which sites and layers its forward pass runs
// through, and the pass itself. Every family is one file in nn/families and obeys this contract.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "assay/io/source.h"
#include "assay/nn/factored_gradient.h"
#include "assay/nn/parameters.h"

namespace assay::nn {

class Pass;

using SiteId = int64_t;  ///< place in Architecture::sites()

/// A weight matrix with an input and an output.
struct Layer {
  std::string name;            ///< canonical: "blocks.3.mlp.up"
  int64_t weight = 0;          ///< place in parameters() of W [O,I]
  bool is_transposed = false;  ///< the parameter lies as [I,O]
  int64_t bias = -1;           ///< place in parameters() of b [O], or -1
  std::string input = {};      ///< name of what it reads; layers with the same input share its covariance
  std::string excluded = {};   ///< why it cannot be a Kronecker block of its own ("it is tied to ..."); empty if it can
};

enum class OutputKind { Categorical, Gaussian };  ///< softmax over classes or tokens; unit-variance regression

/// The residual stream of a text model: what starts it, what adds to it and which norms read it. Empty elsewhere.
struct ResidualStream {
  struct Norm {
    std::string output;              ///< the site that layers behind it name as their input
    int64_t weight = -1, bias = -1;  ///< places in parameters(); a norm without a bias does not subtract the mean
  };
  std::vector<int64_t> embeddings;  ///< places in parameters() of [.., D]
  std::vector<LayerId> writers;
  std::vector<Norm> norms;
};

class HeadMemory;

/// What a forward pass ends in. The head is kept apart so that losses over large vocabularies never hold [B,T,V].
struct Output {
  OutputKind kind = OutputKind::Categorical;
  at::Tensor hidden;  ///< [B,T,D] before the head; without a head the outputs themselves
  at::Tensor head;    ///< [V,D], or undefined: hidden are the logits [B,T,V] or the predictions [B,T,K]
  std::shared_ptr<HeadMemory> head_memory = nullptr;  ///< of a model that remembers (head_memory.h)

  at::Tensor logits() const;  ///< [B,T,V] (predictions [B,T,K] for Gaussian)
};

/// Sizes for people and for planning. Zero where a family has no such thing.
struct Facts {
  int64_t blocks = 0, width = 0, heads = 0, key_value_heads = 0, head_width = 0, mlp_width = 0;
  int64_t vocabulary = 0;  ///< V: tokens or classes
  int64_t context = 0;     ///< longest text in tokens; 0 for arrays
  int64_t features = 0;    ///< arrays: inputs
  int64_t trained = 0;     ///< positions that its training reached, where the configuration is known to say more; or 0
  bool head_is_tied = false;
};

class Architecture {
 public:
  virtual ~Architecture() = default;

  virtual std::string family() const = 0;
  virtual Facts facts() const = 0;
  virtual OutputKind output_kind() const = 0;
  virtual ResidualStream residual_stream() const { return {}; }
  virtual Output forward(Pass& pass) const = 0;
  /// What checkpoints may leave out at the front of the names of weights: "transformer.".
  virtual std::string optional_prefix() const { return {}; }
  /// The config.json that makes this architecture again.
  virtual nlohmann::json config() const = 0;

  const std::vector<ParameterInfo>& parameters() const { return parameters_; }
  const std::vector<Layer>& layers() const { return layers_; }
  const std::vector<std::string>& sites() const { return sites_; }
  /// By site: where the same value stands in Hugging Face's implementation, "transformer.h.3.ln_1.output"; or empty.
  const std::vector<std::string>& modules() const { return modules_; }

  /// Layers whose name matches a pattern: names with *, separated by commas. Throws Error(Usage) with near matches when
  /// nothing matches. A * passes over excluded layers; naming one throws with the reason.
  std::vector<LayerId> match_layers(const std::string& pattern) const;
  /// Names of weights that belong to none of `layers`: what a result does not cover.
  std::vector<std::string> uncovered_parameters(std::span<const LayerId> layers) const;

 protected:
  int64_t add_parameter(ParameterInfo info);
  LayerId add_layer(Layer layer);
  SiteId add_site(std::string name, std::string module = {});

 private:
  std::vector<ParameterInfo> parameters_;
  std::vector<Layer> layers_;
  std::vector<std::string> sites_, modules_;
};

/// Whether `name` matches `pattern`, in which * stands for any characters.
bool matches_pattern(std::string_view name, std::string_view pattern);

/// The architecture that a config.json describes; refusals name `source`. An unknown "model_type" is refused with the
/// nearest known one, sizes beyond those of assay/nn/limits.h before anything is made of them.
std::shared_ptr<const Architecture> make_architecture(const nlohmann::json& config,
                                                      const io::Source& source = {"config.json", ErrorKind::Model});

}  // namespace assay::nn
