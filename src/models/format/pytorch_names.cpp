#include "models/format/pytorch_names.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "models/format/file_refuser.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

// What a layer calls its variables.
struct Renamed {
  std::string_view theirs;
  std::string_view ours;
};
constexpr std::array kVariables{
    Renamed{"kernel", "weight"},         Renamed{"gamma", "weight"},
    Renamed{"embeddings", "weight"},     Renamed{"beta", "bias"},
    Renamed{"output_weights", "weight"}, Renamed{"output_bias", "bias"},
};
// Of optimizers: a variable of their own beside each weight, or one for all.
constexpr std::array<std::string_view, 9> kOptimizer{"adam_m",
                                                     "adam_v",
                                                     "Adam",
                                                     "Adam_1",
                                                     "AdamWeightDecayOptimizer",
                                                     "AdamWeightDecayOptimizer_1",
                                                     "global_step",
                                                     "_slot_vr",
                                                     "_slot_vc"};

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    if (slash != 0) parts.emplace_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return parts;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
  return text;
}

bool is_optimizer(const std::vector<std::string>& parts) {
  return parts.empty() || std::ranges::find(kOptimizer, parts.back()) != kOptimizer.end() ||
         parts.front() == "optimizer_weights";
}

// layer_12 -> layer, 12.
void separate_number(std::vector<std::string>& out, const std::string& part) {
  const size_t bar = part.rfind('_');
  const bool numbered = bar != std::string::npos && bar > 0 && bar + 1 < part.size() &&
                        part.find_first_not_of("0123456789", bar + 1) == std::string::npos;
  if (!numbered) return out.push_back(part);
  out.push_back(part.substr(0, bar));
  out.push_back(part.substr(bar + 1));
}

PytorchName joined(std::vector<std::string> parts) {
  PytorchName out;
  out.transposed = parts.back() == "kernel";
  const auto variable = std::ranges::find(kVariables, parts.back(), &Renamed::theirs);
  if (variable != kVariables.end()) parts.back() = variable->ours;
  for (const std::string& part : parts) {
    if (!out.name.empty()) out.name += '.';
    out.name += part;
  }
  return out;
}

}  // namespace

std::optional<PytorchName> pytorch_name_of_keras(std::string_view path) {
  if (path.ends_with(":0")) path.remove_suffix(2);
  std::vector<std::string> parts = split(replaced(std::string(path), "_._", "/"));
  if (is_optimizer(parts)) return std::nullopt;
  if (parts.front() == "model_weights") parts.erase(parts.begin());  // a whole model's file
  if (parts.empty()) return std::nullopt;
  // The layer's group and the model's scope, as far as there is more.
  const auto n_scopes = static_cast<ptrdiff_t>(std::min<size_t>(2, parts.size() - 1));
  parts.erase(parts.begin(), parts.begin() + n_scopes);
  for (std::string& part : parts) {  // mlm___cls is the layer cls
    const size_t at = part.find("___");
    if (at != std::string::npos) part.erase(0, at + 3);
  }
  return joined(std::move(parts));
}

std::optional<PytorchName> pytorch_name_of_variable(std::string_view path) {
  const std::vector<std::string> scopes = split(path);
  if (is_optimizer(scopes)) return std::nullopt;
  std::vector<std::string> parts;
  for (const std::string& part : scopes) separate_number(parts, part);
  // A table is a variable without a layer.
  if (parts.back().ends_with("_embeddings")) parts.emplace_back("weight");
  return joined(std::move(parts));
}

std::string current_name(std::string name) {
  constexpr std::array kLayerNorm{Renamed{"LayerNorm.gamma", "LayerNorm.weight"},
                                  Renamed{"LayerNorm.beta", "LayerNorm.bias"}};
  for (const Renamed& one : kLayerNorm) {
    if (!name.ends_with(one.theirs)) continue;
    name.resize(name.size() - one.theirs.size());
    name += one.ours;
    break;
  }
  return name;
}

std::vector<SafeTensor> with_pytorch_names(std::vector<SafeTensor> tensors,
                                           std::optional<PytorchName> (*name_of)(std::string_view),
                                           std::string_view file) {
  const FileRefuser refuse(file);
  std::vector<SafeTensor> out;
  std::set<std::string> names;
  for (SafeTensor& tensor : tensors) {
    const auto named = name_of(tensor.name);
    if (!named) continue;
    if (!names.insert(named->name).second) {
      refuse("'{}' and another tensor are both '{}'", printable(tensor.name),
             printable(named->name));
    }
    if (named->transposed && tensor.shape.size() > 2) {
      refuse.unsupported("choose another form of this model", "the kernel '{}' has {} dimensions",
                         printable(tensor.name), tensor.shape.size());
    }
    tensor.name = named->name;
    if (named->transposed && tensor.shape.size() == 2) {
      std::swap(tensor.shape[0], tensor.shape[1]);
      tensor.by_columns = true;
    }
    if (tensor.name.ends_with(".bias") && tensor.shape.size() == 2 && tensor.shape[0] == 1) {
      tensor.shape.erase(tensor.shape.begin());
    }
    out.push_back(std::move(tensor));
  }
  return out;
}

}  // namespace strata::models
