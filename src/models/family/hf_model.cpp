#include "models/family/hf_model.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>

#include "core/error.h"
#include "core/log.h"
#include "models/family/family.h"
#include "models/family/published_sampling.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {

namespace {

// The template named "default". Which of several others a conversation is meant for, nobody says:
// the reference refuses to choose, too.
std::optional<std::string> default_template(const json::array& named, std::string_view file) {
  std::string others;
  for (const json::value& entry : named) {
    if (!entry.is_object()) continue;
    const std::string name = text_in(entry.get_object(), "name", file).value_or("");
    if (name == "default") return text_in(entry.get_object(), "template", file);
    others += fmt::format("{}\"{}\"", others.empty() ? "" : ", ", printable(name));
  }
  log_warn(
      "{}: of chat_template none is named \"default\", which is what a conversation takes; there "
      "is {}. The model counts as one without (give it one with strata create and TEMPLATE)",
      file, others.empty() ? "none at all" : others);
  return std::nullopt;
}

// Newer folders have the template in a file of its own; older ones in the tokenizer's settings,
// some as a list of named ones.
std::optional<std::string> chat_template_of(const HfFolder& folder) {
  if (auto own = folder.text("chat_template.jinja")) return own;
  for (const char* file : {"chat_template.json", "tokenizer_config.json"}) {
    const auto settings = folder.object(file);
    const json::value* value = settings ? settings->if_contains("chat_template") : nullptr;
    if (value == nullptr) continue;
    if (value->is_string()) return std::string(value->get_string());
    if (!value->is_array()) continue;
    if (auto named = default_template(value->get_array(), file)) return named;
  }
  return std::nullopt;
}

// Nothing but the licence is read from it: a model whose card can't be read is a model.
std::optional<std::string> card_of(const HfFolder& folder) {
  try {
    return folder.text("README.md");
  } catch (const Error& error) {
    log_warn("README.md is not read, the licence that it may name stays unknown: {}",
             error.message());
    return std::nullopt;
  }
}

// `license: apache-2.0` of the YAML that a model card begins with.
std::optional<std::string> licence_of(const HfFolder& folder) {
  constexpr std::string_view kField = "\nlicense:";
  const auto card = card_of(folder);
  if (!card || !card->starts_with("---\n")) return std::nullopt;
  const std::string_view head = std::string_view(*card).substr(0, card->find("\n---", 3));
  const size_t at = head.find(kField);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view line = head.substr(at + kField.size());
  const std::string_view value = line.substr(0, line.find('\n'));
  const size_t begin = value.find_first_not_of(" \"'");
  if (begin == std::string_view::npos) return std::nullopt;
  return std::string(value.substr(begin, value.find_last_not_of(" \"'\r") + 1 - begin));
}

// "./models/" and "." are written otherwise than they are called.
std::string name_of(const HfFolder& folder) {
  std::error_code ignored;
  const auto path = std::filesystem::weakly_canonical(folder.path(), ignored);
  return path.filename().string();
}

// What a GGUF file said of itself before it became a folder. What is said of its tensors and its
// vocabulary is the folder's own.
void stored_values(Translation& translation) {
  constexpr std::string_view kFile = "strata.json";
  const auto stored = translation.folder().object(kFile);
  const json::value* values = stored ? stored->if_contains("gguf") : nullptr;
  if (values == nullptr) return;
  if (!values->is_object()) {
    throw Error(Code::invalid_argument, fmt::format("{}: 'gguf' is no object", kFile));
  }
  constexpr std::array<std::string_view, 4> kOwn{"general.architecture", "general.alignment",
                                                 "general.file_type",
                                                 "general.quantization_version"};
  for (const auto& [key, value] : values->get_object()) {
    const std::string_view name = key;
    if (!name.starts_with("general.") || std::ranges::find(kOwn, name) != kOwn.end()) continue;
    try {
      translation.set_stored(name, value);
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("{}: {}", kFile, error.message()), error.hint());
    }
  }
}

void translate_general(Translation& translation, std::string_view name) {
  const HfFolder& folder = translation.folder();
  translation.set_text("general.name", name_of(folder));
  stored_values(translation);
  if (!name.empty()) translation.set_text("general.name", name);
  if (const auto text = chat_template_of(folder)) {
    translation.set_text("tokenizer.chat_template", *text);
  }
  if (const auto licence = licence_of(folder)) translation.set_text("general.license", *licence);
}

std::pair<const Family*, HfClass> known_class(const json::object& config) {
  const std::string hf_class = HfConfig(config).architecture();
  std::set<std::string_view> known;
  for (const auto& family : Registry<Family>::all()) {
    for (const HfClass& one : family->hf_classes()) {
      if (one.name == hf_class) return {family.get(), one};
      known.insert(one.name);
    }
  }
  std::string list;
  for (const std::string_view one : known) {
    list += list.empty() ? "" : ", ";
    list += one;
  }
  throw Error(Code::unimplemented,
              fmt::format("models of the class '{}' can't be run yet", printable(hf_class)),
              "known classes: " + list);
}

}  // namespace

std::shared_ptr<MadeFile> translate(std::shared_ptr<const HfFolder> folder, std::string_view name,
                                    MaskHeads masks) {
  const auto [family, hf_class] = known_class(folder->config());
  Translation translation(std::move(folder), std::string(hf_class.architecture));
  translate_general(translation, name);
  if (masks == MaskHeads::left_out) {
    translation.leave_out_mask_head("what is written of a model has no place for it");
  }
  translation.sentence_modules();
  family->translate(translation);
  const auto generation = translation.folder().object("generation_config.json");
  auto file = translation.finish();
  if (generation) set_published_sampling(*generation, *file);
  return file;
}

void refuse_unknown_folder(const json::object& config) {
  const HfFolder folder(config);
  known_class(folder.config());
  open_storage(folder);
}

}  // namespace strata::models
