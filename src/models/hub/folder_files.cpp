#include "models/hub/folder_files.h"

#include <algorithm>
#include <array>

#include "models/format/hf_folder.h"

namespace strata::models {
namespace {

constexpr std::array<std::string_view, 18> kNames{
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
    "vocab.txt",
    "chat_template.jinja",
    "chat_template.json",
    "modules.json",
    "config_sentence_transformers.json",
    "LICENSE",
    "README.md",
};

bool is_wanted(std::string_view path) {
  if (std::ranges::find(kNames, path) != kNames.end()) return true;
  const size_t slash = path.find('/');
  if (slash != std::string_view::npos) return path.substr(slash + 1) == "config.json";
  return path.ends_with(".safetensors") || path.ends_with(".tiktoken");
}

}  // namespace

bool is_folder_path(std::string_view path) {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return is_plain_name(path);
  return is_plain_name(path.substr(0, slash)) && is_plain_name(path.substr(slash + 1));
}

std::vector<std::string> folder_files(std::span<const std::string> paths) {
  std::vector<std::string> out;
  bool has_tensors = false;
  // Shards that the index names stand beside a copy of the whole in some repositories.
  const bool indexed = std::ranges::find(paths, kNames[2]) != paths.end();
  for (const std::string& path : paths) {
    if (!is_folder_path(path) || !is_wanted(path)) continue;
    if (indexed && path == "model.safetensors") continue;
    has_tensors = has_tensors || path.ends_with(".safetensors");
    out.push_back(path);
  }
  std::ranges::sort(out);
  const auto config = std::ranges::find(out, kNames[0]);
  if (!has_tensors || config == out.end()) return {};
  std::rotate(out.begin(), config, config + 1);
  return out;
}

}  // namespace strata::models
