// Sentence Transformers' files: modules.json names the folders of the pooling and of dense layers
// behind it, config_sentence_transformers.json has the texts that go in front; and what classifiers
// say.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/change.h"
#include "models/family/limits.h"
#include "models/family/sentence_modules.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"
#include "models/text_prompts.h"

namespace strata::models {
namespace {

struct Mode {
  std::string_view field;
  std::string_view name;  // of newer programs' pooling_mode
  int64_t type;           // GGUF's pooling_type; 0: there is none
};
constexpr std::array kModes{
    Mode{"pooling_mode_mean_tokens", "mean", 1},
    Mode{"pooling_mode_cls_token", "cls", 2},
    Mode{"pooling_mode_lasttoken", "lasttoken", 3},
    Mode{"pooling_mode_max_tokens", "max", 0},
    Mode{"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", 0},
    Mode{"pooling_mode_weightedmean_tokens", "weightedmean", 0},
};

// Whether it is one of the modes that the settings name, or is set by its flag where they name
// none.
bool is_chosen(const json::object& settings, const Mode& mode) {
  const json::value* named = settings.if_contains("pooling_mode");
  if (named == nullptr) {
    const json::value* flag = settings.if_contains(mode.field);
    return flag != nullptr && *flag == true;
  }
  const auto is_it = [&](const json::value& value) {
    return value.is_string() && std::string_view(value.get_string()) == mode.name;
  };
  return named->is_array() ? std::ranges::any_of(named->get_array(), is_it) : is_it(*named);
}

// Names that AutoConfig gives where a model has none.
bool is_made_up(const std::vector<std::string>& labels) {
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != fmt::format("{}{}", kMadeUpLabel, i)) return false;
  }
  return true;
}

}  // namespace

void Translation::sentence_modules() {
  const auto text = folder_->text(kModulesFile);
  const SentenceModules modules = text ? sentence_modules_of(*text) : SentenceModules();
  if (text) texts_of_vectors();
  prompts(modules.pooling.empty() || pooling(modules.pooling));
  for (size_t i = 0; i < modules.dense.size(); ++i) dense(modules.dense[i], i);
}

// The module's folder has a config.json and weights of its own, of any format.
void Translation::dense(const std::string& module, size_t index) {
  const auto folder = std::make_shared<const HfFolder>(folder_->path() / module);
  const std::string where = module + "/config.json";
  const std::string name = dense_name(index);
  const auto function = text_in(folder->config(), "activation_function", where).value_or("");
  const std::string kind = function.substr(function.rfind('.') + 1);
  if (kind == "Tanh") {
    set_text(key(name + "_activation"), "tanh");
  } else if (kind != "Identity") {
    throw Error(Code::unimplemented, fmt::format("{}: the activation '{}' is not supported yet",
                                                 where, printable(function)));
  }
  if (flag_in(folder->config(), "use_residual", where).value_or(false)) {
    throw Error(Code::unimplemented, fmt::format("{}: 'use_residual' is not supported yet", where));
  }
  for (const SafeTensor& tensor : folder->tensors()) {
    const bool is_weight = tensor.name == "linear.weight" && tensor.shape.size() == 2;
    const bool is_bias = tensor.name == "linear.bias" && tensor.shape.size() == 1;
    if ((!is_weight && !is_bias) || tensor.by_columns) {
      throw Error(Code::unimplemented,
                  fmt::format("{}: a tensor '{}' of {} dimensions is not known there", module,
                              printable(tensor.name), tensor.shape.size()));
    }
    MadePart part;
    part.size_bytes = tensor.bytes.size();
    part.reads = {tensor.bytes};
    part.make = [folder, bytes = tensor.bytes] { return std::vector(bytes.begin(), bytes.end()); };
    file_->add_tensor(name + (is_weight ? ".weight" : ".bias"), weight_type(tensor),
                      shape_of(tensor, Change::none), {std::move(part)},
                      fmt::format("{}/{}", module, tensor.name));
  }
  if (folder->find("linear.weight") == nullptr) {
    throw Error(Code::not_found, fmt::format("{} holds no tensor 'linear.weight'", module));
  }
  set_integer(name + "_feat_in", static_cast<int64_t>(folder->find("linear.weight")->shape[1]));
  set_integer(name + "_feat_out", static_cast<int64_t>(folder->find("linear.weight")->shape[0]));
}

// The most tokens of a text, and whether it is read in lower case.
void Translation::texts_of_vectors() {
  const auto settings = folder_->object(kTextFile);
  if (!settings) return;
  if (const auto most = number_in(*settings, "max_seq_length", kTextFile)) {
    if (*most < 1 || *most > INT32_MAX || *most != std::floor(*most)) {
      throw Error(Code::invalid_argument,
                  fmt::format("{}: 'max_seq_length' is {}, no number of tokens", kTextFile, *most));
    }
    file_->set_integer(kTextLimit, static_cast<int64_t>(*most));
  }
  if (flag_in(*settings, "do_lower_case", kTextFile) == true) file_->set_flag(kTextLower, true);
}

// Whether tokens of what goes in front of a text are pooled like others.
bool Translation::pooling(const std::string& path) {
  const std::string file = path + "/config.json";
  const auto settings = folder_->object(file);
  if (!settings) {
    throw Error(Code::not_found, fmt::format("modules.json names {}, which is missing", file));
  }
  std::optional<int64_t> chosen;
  for (const Mode& mode : kModes) {
    if (!is_chosen(*settings, mode)) continue;
    if (chosen || mode.type == 0) {
      throw Error(Code::unimplemented, fmt::format("{}: '{}' is not supported yet{}", file,
                                                   mode.field, chosen ? " beside another" : ""));
    }
    chosen = mode.type;
  }
  if (!chosen && settings->contains("pooling_mode")) {
    throw Error(Code::unimplemented,
                fmt::format("{}: 'pooling_mode' is {}, which is not known", file,
                            printable(to_json(settings->at("pooling_mode")))));
  }
  if (chosen) set_integer("pooling_type", *chosen);
  const json::value* counted = settings->if_contains("include_prompt");
  return counted == nullptr || *counted != false;
}

void Translation::prompts(bool counted) {
  const auto settings = folder_->object(kPromptFile);
  const json::value* named = settings ? settings->if_contains("prompts") : nullptr;
  if (named == nullptr || named->is_null()) return;
  if (!named->is_object()) {
    throw Error(Code::invalid_argument, fmt::format("{}: 'prompts' is no object", kPromptFile));
  }
  std::vector<std::string> names, texts;
  for (const auto& [name, text] : named->get_object()) {
    if (!text.is_string()) {
      throw Error(Code::invalid_argument,
                  fmt::format("{}: the prompt '{}' is no text", kPromptFile, printable(name)));
    }
    names.emplace_back(name);
    texts.emplace_back(text.get_string());
  }
  if (names.empty()) return;
  const bool all_empty = std::ranges::all_of(texts, &std::string::empty);
  if (!counted && !all_empty) {
    throw Error(Code::unimplemented,
                "the pooling's config.json: 'include_prompt' is false, which is not supported yet",
                "without it the vectors would be others; choose another model");
  }
  file_->set_texts(kPromptNames, names);
  file_->set_texts(kPromptTexts, texts);
  if (const auto name = text_in(*settings, "default_prompt_name", kPromptFile)) {
    file_->set_text(kPromptDefault, *name);
  }
}

void Translation::score_keys(bool of_mean) {
  constexpr int64_t kMean = 1, kFirst = 2, kRank = 4;
  set_integer("pooling_type", kRank);
  set_integer("classifier.pooling_type", of_mean ? kMean : kFirst);
  const json::object* named = config_.object("id2label");
  if (named == nullptr) return;
  std::vector<std::string> labels;
  for (size_t i = 0; i < named->size(); ++i) {
    const auto label = text_in(*named, std::to_string(i), "config.json: id2label");
    if (!label) {
      throw Error(
          Code::invalid_argument,
          fmt::format("config.json: 'id2label' has {} entries, none for {}", named->size(), i));
    }
    labels.push_back(*label);
  }
  if (!is_made_up(labels)) file_->set_texts(key("classifier.output_labels"), labels);
}

}  // namespace strata::models
