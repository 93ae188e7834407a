#include "assay/nn/checkpoint.h"

#include <ATen/ops/aminmax.h>
#include <fmt/core.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/near_match.h"
#include "assay/core/twin.h"
#include "assay/io/atomic_file.h"
#include "assay/io/gguf.h"
#include "assay/io/json.h"
#include "assay/io/mapped_file.h"
#include "assay/io/safetensors.h"
#include "assay/io/tensor.h"
#include "assay/nn/gguf_model.h"

namespace assay::nn {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, const std::string& sentence) {
  throw Error(ErrorKind::Model, fmt::format("loading model \"{}\": {}", path, sentence));
}

// Buffers that older checkpoints carry beside their weights.
bool is_buffer(const std::string& name) {
  return name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attn.bias") ||
         name.ends_with(".attn.masked_bias") || name.ends_with(".attention.bias") ||
         name.ends_with(".attention.masked_bias");
}

/// Without a copy: NaN spreads to both ends, and an infinity is one.
bool is_finite(const at::Tensor& numbers) {
  const auto [least, most] = at::aminmax(numbers);
  return std::isfinite(least.item<double>()) && std::isfinite(most.item<double>());
}

bool is_number(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kHalf || type == at::kBFloat16;
}

/// Whether a tensor of this type and shape is read into memory of its own, and its pages in the file are done with
/// then.
bool is_converted(const io::Array& array, at::ScalarType dtype) {
  const at::Tensor tensor = io::to_tensor(array);
  return tensor.scalar_type() != kept_type(tensor.sizes(), dtype);
}

at::Tensor checked(const std::string& path, const ParameterInfo& info, const at::Tensor& tensor, at::ScalarType dtype) {
  if (tensor.sizes() != at::IntArrayRef(info.shape)) {
    refuse(path, fmt::format("tensor \"{}\" must have shape {}, which the configuration asks for, and it has shape "
                             "{}; the configuration and the weights belong to different models",
                             info.name, io::shape_to_string(info.shape), io::shape_to_string(tensor.sizes().vec())));
  }
  if (!is_number(tensor.scalar_type())) {
    refuse(path, fmt::format("tensor \"{}\" must hold floating-point numbers (F32, F16, BF16, F64), and it holds {}; "
                             "convert the checkpoint to one of them",
                             info.name, c10::toString(tensor.scalar_type())));
  }
  const at::Tensor numbers = tensor.to(kept_type(tensor.sizes(), dtype));
  if (!is_finite(numbers)) {
    refuse(path, fmt::format("tensor \"{}\" must be finite, and it holds NaN or infinity; the training run diverged or "
                             "the file is damaged, so load an earlier "
                             "checkpoint",
                             info.name));
  }
  return numbers;
}

std::vector<std::string> names_of(const io::Arrays& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, array] : tensors) names.push_back(name);
  return names;
}

/// Checkpoints of a bare model, without its head, leave out the prefix that the whole has.
io::Arrays::const_iterator find_weight(const io::Arrays& tensors, const std::string& name, const std::string& prefix) {
  const auto found = tensors.find(name);
  return found == tensors.end() && name.starts_with(prefix) ? tensors.find(name.substr(prefix.size())) : found;
}

Parameters match_weights(const std::string& path, const Architecture& architecture, const io::Arrays& tensors,
                         at::ScalarType dtype) {
  Parameters parameters;
  std::set<std::string> used;
  const std::string prefix = architecture.optional_prefix();
  for (const ParameterInfo& info : architecture.parameters()) {
    const auto found = find_weight(tensors, info.name, prefix);
    if (found == tensors.end()) {
      refuse(path,
             fmt::format("the weights must hold tensor \"{}\" {}, and they do not{}; the checkpoint is incomplete or "
                         "of another family",
                         info.name, io::shape_to_string(info.shape), closest_clause(info.name, names_of(tensors))));
    }
    parameters.add(info.name, checked(path, info, io::to_tensor(found->second), dtype));
    if (is_converted(found->second, dtype)) io::release_pages(found->second);
    used.insert(found->first);
  }
  for (const auto& [name, array] : tensors) {
    if (used.contains(name) || is_buffer(name)) continue;
    if ((name == "lm_head.weight" || name == "embed_out.weight") &&
        architecture.facts().head_is_tied) {  // some writers store the tied head a second time
      if (io::to_tensor(array).to(parameters[0].scalar_type()).equal(parameters[0])) continue;
      refuse(path,
             fmt::format("config.json says that the output head is tied to the embedding (tie_word_embeddings), but {} "
                         "differs from it; set tie_word_embeddings to false if the head is its own",
                         name));
    }
    refuse(path, fmt::format("every tensor must belong to the model that config.json describes, and \"{}\" does not{}; "
                             "the configuration and the weights "
                             "belong to different models",
                             name, closest_clause(name, std::vector<std::string>(used.begin(), used.end()))));
  }
  return parameters;
}

void refuse_pickles(const std::string& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename(), extension = entry.path().extension();
    if (extension != ".bin" && extension != ".pt" && extension != ".pth" && extension != ".ckpt") continue;
    refuse(
        folder,
        fmt::format("weights must be safetensors or GGUF, and \"{}\" is a pickle, which can run any program when it is "
                    "opened; convert it, in the "
                    "environment that made it, with safetensors.torch.save_file, or download the safetensors version",
                    name));
  }
}

Checkpoint load_folder(const std::string& folder, at::ScalarType dtype) {
  Checkpoint checkpoint;
  checkpoint.path = folder;
  checkpoint.format = "safetensors";
  const fs::path single = fs::path(folder) / "model.safetensors",
                 index = fs::path(folder) / "model.safetensors.index.json";
  const bool sharded = !fs::exists(single) && fs::exists(index);
  if (!fs::exists(single) && !sharded) {
    refuse_pickles(folder);
    refuse(folder,
           "the folder must hold model.safetensors, model.safetensors.index.json or one .gguf file beside config.json, "
           "and it holds none of them; fetch the weights too");
  }
  checkpoint.weights = sharded ? index.string() : single.string();
  const io::Source source{.name = (fs::path(folder) / "config.json").string(),
                          .kind = ErrorKind::Model,
                          .first_line = 1,
                          .advice = "correct the file, or fetch the model again"};
  const io::Json config = io::parse_json(io::MappedFile::open(source.name, source.kind)->text(), source);
  const std::shared_ptr<const Architecture> architecture = make_architecture(config, source);
  const io::Safetensors file = io::read_safetensors_folder(folder, ErrorKind::Model);
  Hasher hasher;
  hasher.add(config.dump());
  for (const auto& [name, array] : file.tensors) {
    hasher.add(name).add(array.bytes);
    if (is_converted(array, dtype)) io::release_pages(array);
  }
  checkpoint.hash = hasher.digest128();
  checkpoint.model = Model(architecture, match_weights(folder, *architecture, file.tensors, dtype));
  for (const ParameterInfo& info : architecture->parameters()) {
    const auto found = find_weight(file.tensors, info.name, architecture->optional_prefix());
    checkpoint.types.emplace_back(io::to_string(found->second.dtype));
  }
  return checkpoint;
}

Checkpoint load_gguf(const std::string& path, at::ScalarType dtype) {
  const io::Gguf file = io::Gguf::open(path, ErrorKind::Model);
  const nlohmann::json config = config_of_gguf(file);
  const std::shared_ptr<const Architecture> architecture = make_architecture(config, {path, ErrorKind::Model});
  const DecoderNames& names = gguf_weight_names(config.at("model_type"));
  const Facts facts = architecture->facts();
  Parameters parameters;
  std::vector<std::string> types;
  std::set<std::string> used{"rope_freqs.weight"};  // in the configuration
  for (const ParameterInfo& info : architecture->parameters()) {
    const std::string name = gguf_name(names, info.name);
    const io::DType stored = kept_type(info.shape, dtype) == at::kBFloat16 ? io::DType::BF16 : io::DType::F32;
    ParameterInfo written = info;
    written.shape = shape_in_gguf(info.shape, info.name, config);
    const io::Array array = file.load(name, stored);
    const at::Tensor tensor = checked(path, written, io::to_tensor(array), dtype);
    parameters.add(info.name, in_our_order(tensor, info.name, config, facts));
    if (parameters[parameters.size() - 1].const_data_ptr() != array.bytes.data()) io::release_pages(array);
    types.emplace_back(io::to_string(file.tensors().find(name)->second.type));
    used.insert(name);
  }
  if (facts.head_is_tied) used.insert("output.weight");  // equal to the embedding where it is there
  for (const auto& [name, tensor] : file.tensors()) {
    if (used.contains(name)) continue;
    refuse(path, fmt::format("every tensor must belong to a {} model of the sizes in the metadata, and \"{}\" does "
                             "not{}; convert the model again, or take one of this family",
                             architecture->family(), name,
                             closest_clause(name, std::vector<std::string>(used.begin(), used.end()))));
  }
  return {Model(architecture, std::move(parameters)), path, path, hash_file(path), "gguf", std::move(types)};
}

std::string only_gguf_in(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".gguf") files.push_back(entry.path().string());
  }
  if (files.size() > 1)
    refuse(folder,
           fmt::format("a folder must hold one .gguf file, and this holds {}; name the file itself", files.size()));
  return files.empty() ? "" : files[0];
}

}  // namespace

Checkpoint load_checkpoint(const std::string& path, at::ScalarType dtype) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    refuse(path,
           fs::is_symlink(path, ignored)
               ? "a model must be a folder in the Hugging Face layout or a .gguf file, and this is a link that leads "
                 "nowhere; mend the link or name the folder itself"
               : "a model must be a folder in the Hugging Face layout or a .gguf file, and there is nothing of this "
                 "name; check the path");
  if (!fs::is_directory(path)) {
    if (path.ends_with(".gguf")) return load_gguf(path, dtype);
    refuse(path,
           "a model must be a folder in the Hugging Face layout or a .gguf file, and this is another kind of file; "
           "give the folder that holds config.json");
  }
  if (fs::exists(fs::path(path) / "config.json")) return load_folder(path, dtype);
  const std::string gguf = only_gguf_in(path);
  if (!gguf.empty()) return load_gguf(gguf, dtype);
  refuse_pickles(path);
  refuse(path,
         "the folder must hold config.json beside its weights, or one .gguf file, and it holds neither; name a folder "
         "that does");
}

void save_checkpoint(const Model& model, const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(
        ErrorKind::Resource,
        fmt::format("saving a model to \"{}\": the folder must be one that we can make, and {}; choose another place",
                    folder, error.message()));
  }
  io::Arrays tensors;
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    tensors.emplace(model.parameters().name(i), io::from_tensor(model.parameters()[i].detach().contiguous()));
  }
  io::write_safetensors((fs::path(folder) / "model.safetensors").string(), tensors, {{"format", "pt"}});
  io::AtomicFile config((fs::path(folder) / "config.json").string());
  config.write(model.architecture().config().dump(2) + "\n");
  config.commit();
}

}  // namespace assay::nn
