#include "models/hub/folder_files.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/json.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_folder.h"
#include "models/format/weight_files.h"

namespace strata::models {
namespace {

constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr std::array<std::string_view, 25> kNames{
    "config.json",
    "generation_config.json",
    kIndex,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tekken.json",
    "tiktoken.model",
    "tokenizer.tiktoken",
    "chat_template.jinja",
    "chat_template.json",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "LICENSE",
    "README.md",
    "strata.json",
};

// In the folder of a dense layer behind the pooling, as Sentence Transformers names them.
bool is_dense(std::string_view path) {
  return path.substr(0, path.find('/')).ends_with("_Dense");
}

bool is_wanted(std::string_view path) {
  if (std::ranges::find(kNames, path) != kNames.end()) return true;
  const size_t slash = path.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view file = path.substr(slash + 1);
    return file == "config.json" || (is_dense(path) && file == "model.safetensors") ||
           (is_dense(path) && file == "pytorch_model.bin");
  }
  return path.ends_with(".safetensors");
}

// Beside the shards that the index names some repositories hold a second copy of the whole.
std::set<std::string> files_of_index(std::string_view text, std::span<const std::string> paths) {
  const json::value index = parse_json(text, {.max_bytes = kMaxHfConfig, .max_depth = 64});
  const json::value* map =
      index.is_object() ? index.get_object().if_contains("weight_map") : nullptr;
  if (map == nullptr || !map->is_object()) {
    throw Error(Code::invalid_argument, fmt::format("{} has no object 'weight_map'", kIndex));
  }
  std::set<std::string> files;
  for (const auto& [name, file] : map->get_object()) {
    if (!file.is_string() || !is_plain_name(file.get_string())) {
      throw Error(Code::invalid_argument,
                  fmt::format("{}: weight_map of '{}' is no file's name", kIndex, printable(name)));
    }
    files.insert(std::string(file.get_string()));
  }
  for (const std::string& file : files) {
    if (std::ranges::find(paths, file) != paths.end()) continue;
    throw Error(Code::not_found,
                fmt::format("{} names {}, which is not there", kIndex, printable(file)),
                "nothing was fetched: the repository or folder is not whole");
  }
  return files;
}

// Weights of another format, where there are no safetensors.
std::vector<std::string> other_weights(std::span<const std::string> paths) {
  const auto found = find_weight_files(paths);
  if (!found || found->format == WeightFormat::safetensors) return {};
  std::vector<std::string> out = found->files;
  if (!found->index.empty()) out.push_back(found->index);
  return out;
}

}  // namespace

bool is_folder_path(std::string_view path) {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return is_plain_name(path);
  return is_plain_name(path.substr(0, slash)) && is_plain_name(path.substr(slash + 1));
}

std::vector<std::string> folder_files(
    std::span<const std::string> paths,
    const std::function<std::string(const std::string& path)>& read_index) {
  std::vector<std::string> out;
  bool has_tensors = false;
  std::optional<std::set<std::string>> shards;
  const auto index = std::ranges::find(paths, kIndex);
  if (index != paths.end()) shards = files_of_index(read_index(*index), paths);
  for (const std::string& path : paths) {
    if (!is_folder_path(path) || !is_wanted(path)) continue;
    const bool own = path.find('/') == std::string::npos;
    const bool tensors = own && path.ends_with(".safetensors");
    if (tensors && shards && !shards->contains(path)) continue;
    has_tensors = has_tensors || tensors;
    out.push_back(path);
  }
  if (!has_tensors) {
    const std::vector<std::string> weights = other_weights(paths);
    has_tensors = !weights.empty();
    out.insert(out.end(), weights.begin(), weights.end());
  }
  std::ranges::sort(out);
  const auto config = std::ranges::find(out, kNames[0]);
  if (!has_tensors || config == out.end()) return {};
  std::rotate(out.begin(), config, config + 1);
  return out;
}

}  // namespace strata::models
