#include "models/format/weight_files.h"

#include <algorithm>
#include <array>

namespace strata::models {
namespace {

constexpr std::string_view kIndexEnding = ".index.json";
constexpr std::string_view kBundleEnding = ".index";

// NAME.ENDING; in several files NAME-00001-of-00003.ENDING and NAME.ENDING.index.json.
struct Published {
  WeightFormat format;
  std::string_view name;
  std::string_view ending;
};
constexpr std::array kPublished{
    Published{WeightFormat::safetensors, "model", ".safetensors"},
    Published{WeightFormat::torch, "pytorch_model", ".bin"},
    Published{WeightFormat::keras, "tf_model", ".h5"},
};

// Of a training's state, no weights.
constexpr std::array<std::string_view, 5> kTraining{"optimizer.pt", "scheduler.pt", "scaler.pt",
                                                    "rng_state.pth", "training_args.pt"};

bool contains(std::span<const std::string> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::optional<WeightFiles> find_published(std::span<const std::string> names,
                                          const Published& kind) {
  const std::string whole = std::string(kind.name) + std::string(kind.ending);
  WeightFiles found{kind.format, whole + std::string(kIndexEnding), {}};
  if (!contains(names, found.index)) {
    if (!contains(names, whole)) return std::nullopt;
    return WeightFiles{kind.format, "", {whole}};
  }
  const bool any_name = kind.format == WeightFormat::safetensors;
  const std::string shard = std::string(kind.name) + "-";
  for (const std::string& name : names) {
    if (!name.ends_with(kind.ending) || name == whole) continue;
    if (any_name || name.starts_with(shard)) found.files.push_back(name);
  }
  return found;
}

// The only .pt or .pth.
std::optional<WeightFiles> find_torch(std::span<const std::string> names) {
  WeightFiles found{WeightFormat::torch, "", {}};
  for (const std::string& name : names) {
    const bool is_training =
        std::ranges::find(kTraining, name) != kTraining.end() || name.starts_with("rng_state");
    const bool is_torch = name.ends_with(".pt") || name.ends_with(".pth");
    if (is_torch && !is_training && name.find('/') == std::string::npos) {
      found.files.push_back(name);
    }
  }
  if (found.files.size() != 1) return std::nullopt;
  return found;
}

// The only NAME.index with its NAME.data-00000-of-00001.
std::optional<WeightFiles> find_bundle(std::span<const std::string> names) {
  std::optional<WeightFiles> found;
  for (const std::string& index : names) {
    if (!index.ends_with(kBundleEnding) || index.find('/') != std::string::npos) continue;
    const std::string data = index.substr(0, index.size() - kBundleEnding.size()) + ".data-";
    WeightFiles bundle{WeightFormat::bundle, "", {}};
    for (const std::string& name : names) {
      if (name.starts_with(data)) bundle.files.push_back(name);
    }
    if (bundle.files.empty()) continue;
    if (found) return std::nullopt;
    std::ranges::sort(bundle.files);
    bundle.files.insert(bundle.files.begin(), index);
    found = std::move(bundle);
  }
  return found;
}

}  // namespace

std::string_view weight_format_name(WeightFormat format) {
  switch (format) {
    case WeightFormat::safetensors:
      return "safetensors";
    case WeightFormat::torch:
      return "PyTorch";
    case WeightFormat::keras:
      return "Keras HDF5";
    case WeightFormat::bundle:
      return "TensorFlow checkpoint";
  }
  return "";
}

std::optional<WeightFiles> find_weight_files(std::span<const std::string> names) {
  for (const Published& kind : kPublished) {
    if (auto found = find_published(names, kind)) return found;
  }
  if (auto found = find_torch(names)) return found;
  return find_bundle(names);
}

}  // namespace strata::models
