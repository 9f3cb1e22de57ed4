#include "modify/folder_files.h"

#include <algorithm>
#include <array>

#include "core/os.h"
#include "models/family/published_sampling.h"
#include "models/format/meta_json.h"
#include "models/text_prompts.h"
#include "models/tokenizer/gguf_keys.h"
#include "models/tokenizer/json_from_gguf.h"
#include "models/tokenizer/tokenizer.h"
#include "modify/module_folders.h"

namespace strata::modify {
namespace {

using models::MetaValue;
using models::ModelFile;

// What other files of the folder hold, or what was true of the GGUF file alone.
constexpr std::array<std::string_view, 23> kHeld{models::kEndIdsKey,
                                                 "tokenizer.ggml.add_bos_token",
                                                 "tokenizer.ggml.add_eos_token",
                                                 models::kPromptNames,
                                                 models::kPromptTexts,
                                                 models::kPromptDefault,
                                                 models::kTextLimit,
                                                 models::kTextLower,
                                                 "general.architecture",
                                                 "general.alignment",
                                                 "general.file_type",
                                                 "general.license",
                                                 "general.quantization_version",
                                                 "tokenizer.chat_template",
                                                 "tokenizer.huggingface.json",
                                                 "tokenizer.ggml.tokens",
                                                 "tokenizer.ggml.merges",
                                                 "tokenizer.ggml.scores",
                                                 "tokenizer.ggml.token_type",
                                                 "tokenizer.ggml.bos_token_id",
                                                 "tokenizer.ggml.eos_token_id",
                                                 "tokenizer.ggml.precompiled_charsmap",
                                                 "tokenizer.ggml.model"};

// Each with its type, so that it can be written into a GGUF file again as it was.
json::object unplaced_values(const ModelFile& file, std::vector<std::string>& keys) {
  const std::string own = std::string(*file.text("general.architecture")) + ".";
  json::object out;
  for (const MetaValue& value : file.values()) {
    if (value.key.starts_with("split.") || value.key.starts_with(own)) continue;
    if (std::ranges::find(kHeld, value.key) != kHeld.end()) continue;
    if (models::is_published_sampling(value.key)) continue;
    out[value.key] = models::meta_json(value);
    keys.emplace_back(value.key);
  }
  return out;
}

void write(const std::filesystem::path& path, const json::value& value) {
  write_file_atomic(path, to_json(value, {.indent = 2}) + "\n");
}

// Of any program that publishes such folders, and the lists of their files.
bool is_of_weights(std::string_view name) {
  constexpr std::array<std::string_view, 11> kEndings{
      ".safetensors", ".bin",  ".pt",    ".pth",        ".h5",  ".gguf",
      ".msgpack",     ".onnx", ".index", ".index.json", ".meta"};
  const auto ends = [&](std::string_view ending) { return name.ends_with(ending); };
  return std::ranges::any_of(kEndings, ends) || name.find(".data-") != std::string_view::npos;
}

std::string one_line(std::string_view text) {
  return std::string(text.substr(0, text.find_first_of("\r\n")));
}

std::string model_card(const ModelFile& file) {
  const std::string name = one_line(file.text("general.name").value_or("Model"));
  const std::string licence = one_line(file.text("general.license").value_or(""));
  std::string card = "---\n";
  if (!licence.empty()) card += "license: " + json_quote(licence) + "\n";
  card += "---\n\n# " + name + "\n\nConverted from a GGUF file by `strata convert`. ";
  card += licence.empty() ? "The file states no licence.\n" : "Licence: " + licence + ".\n";
  return card;
}

// The padding that the configuration has; of a model that makes vectors, which programs read many
// of at once, else a token that is called so.
models::TokenId padding_of(const json::object& config, const models::Tokenizer& tokenizer,
                           bool needed) {
  const json::value* own = config.if_contains("pad_token_id");
  if (own != nullptr && own->is_int64()) {
    const int64_t id = own->get_int64();
    return id >= 0 && id < tokenizer.n_vocab() ? static_cast<models::TokenId>(id) : -1;
  }
  for (const char* name : {"[PAD]", "<pad>"}) {
    if (needed && tokenizer.find(name) >= 0) return tokenizer.find(name);
  }
  return -1;
}

// Ids at which an answer ends, that of the text first.
json::array ends_of(const ModelFile& file, const models::Tokenizer& tokenizer) {
  json::array ends{tokenizer.eos()};
  const models::TokenId turn = tokenizer.special_ids().end_of_turn;
  if (turn >= 0 && turn != tokenizer.eos()) ends.emplace_back(turn);
  for (const int64_t id : file.integers(models::kEndIdsKey).value_or(std::vector<int64_t>())) {
    ends.emplace_back(id);
  }
  return ends;
}

// Those that the class's forward() takes.
json::array input_names(const models::ModelSpec& spec) {
  json::array names{"input_ids", "attention_mask"};
  if (spec.n_types > 1) names.emplace_back("token_type_ids");
  return names;
}

void copy_files(const std::filesystem::path& from, const std::filesystem::path& to,
                std::string_view but) {
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || is_of_weights(name) || name == but) continue;
    std::filesystem::copy_file(entry.path(), to / name);
  }
}

}  // namespace

void write_json_files(const std::map<std::string, json::value>& files,
                      const std::filesystem::path& folder) {
  for (const auto& [path, value] : files) {
    make_directories((folder / path).parent_path());
    write(folder / path, value);
  }
}

std::vector<std::string> write_small_files(const std::shared_ptr<const ModelFile>& file,
                                           const models::ModelSpec& spec,
                                           const std::filesystem::path& folder,
                                           json::object& config) {
  write_file_atomic(folder / "tokenizer.json", models::tokenizer_json_of(file));
  const auto tokenizer = models::Tokenizer::from_gguf(file);
  json::object settings{{"tokenizer_class", "PreTrainedTokenizerFast"},
                        {"model_input_names", input_names(spec)},
                        {"clean_up_tokenization_spaces", false},
                        {"add_bos_token", tokenizer->add_bos()},
                        {"add_eos_token", tokenizer->add_eos()}};
  const bool writes_text = models::generates(spec);
  json::object generation;
  const auto role = [&](const std::string& name, models::TokenId id) {
    if (id < 0) return;
    settings[name + "_token"] = tokenizer->piece(id, true);
    if (name == "unk") return;
    config[name + "_token_id"] = id;
    generation[name + "_token_id"] = id;
  };
  role("bos", tokenizer->bos());
  role("eos", tokenizer->eos());
  role("unk", tokenizer->special_ids().unknown);
  role("pad", padding_of(config, *tokenizer, !writes_text));
  // What transformers asks a vocabulary of words for by name.
  for (const auto& [name, key] : {std::pair{"cls_token", "tokenizer.ggml.cls_token_id"},
                                  std::pair{"sep_token", "tokenizer.ggml.seperator_token_id"},
                                  std::pair{"mask_token", "tokenizer.ggml.mask_token_id"}}) {
    const auto id = file->integer(key);
    if (!id || *id < 0 || *id >= tokenizer->n_vocab()) continue;
    settings[name] = tokenizer->piece(static_cast<models::TokenId>(*id), true);
  }
  if (const json::array ends = ends_of(*file, *tokenizer); ends.size() > 1) {
    generation["eos_token_id"] = ends;
  }
  write(folder / "tokenizer_config.json", settings);
  models::add_published_sampling(*file, generation);
  if (writes_text) write(folder / "generation_config.json", generation);
  // Which some classes believe to be a token that a small vocabulary does not have.
  if (!writes_text && !config.contains("pad_token_id")) config["pad_token_id"] = nullptr;
  if (const auto text = file->text("tokenizer.chat_template")) {
    write_file_atomic(folder / "chat_template.jinja", *text);
  }
  write_file_atomic(folder / "README.md", model_card(*file));
  std::vector<std::string> keys;
  const json::object unplaced = unplaced_values(*file, keys);
  if (!keys.empty()) write(folder / "strata.json", json::object{{"gguf", unplaced}});
  return keys;
}

void copy_small_files(const std::filesystem::path& from, const std::filesystem::path& folder) {
  copy_files(from, folder, "config.json");
  for (const std::string& module : module_folders(from)) {
    make_directories(folder / module);
    copy_files(from / module, folder / module, "");
  }
}

void keep_fields(const json::object& source, json::object& config) {
  for (const auto& [name, value] : source) {
    const bool of_types = name == "dtype" || name == "torch_dtype";
    const bool is_kept = !value.is_object() || name == "auto_map";
    if (!is_kept || of_types || config.contains(name)) continue;
    config[name] = value;
  }
}

}  // namespace strata::modify
