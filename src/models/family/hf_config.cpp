#include "models/family/hf_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/family.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

// Fields that change the formula, with the value that changes nothing.
struct Neutral {
  std::string_view field;
  double value;
};
constexpr std::array kNeutral{
    Neutral{"add_cross_attention", 0},
    Neutral{"alibi", 0},
    Neutral{"apply_residual_connection_post_layernorm", 0},
    Neutral{"attn_logit_softcapping", 0},
    Neutral{"attention_multiplier", 0},
    Neutral{"clip_qkv", 0},
    Neutral{"embedding_multiplier", 1},
    Neutral{"final_logit_softcapping", 0},
    Neutral{"first_k_dense_replace", 0},
    Neutral{"logit_scale", 1},
    Neutral{"logits_scaling", 1},
    Neutral{"moe_layer_freq", 1},
    Neutral{"n_routed_experts", 0},
    Neutral{"n_shared_experts", 0},
    Neutral{"num_experts", 0},
    Neutral{"num_local_experts", 0},
    Neutral{"partial_rotary_factor", 1},
    Neutral{"qk_layernorm", 0},
    Neutral{"q_lora_rank", 0},
    Neutral{"residual_multiplier", 1},
    Neutral{"scale_attn_by_inverse_layer_idx", 0},
    Neutral{"scale_attn_weights", 1},
    Neutral{"sliding_window", 0},
    Neutral{"swiglu_alpha", 1.702},
    Neutral{"swiglu_limit", 0},
    Neutral{"use_qk_norm", 0},
    Neutral{"use_qkv_norm", 0},
};

[[noreturn]] void refuse(std::string_view where, std::string_view field, std::string_view why) {
  throw Error(Code::invalid_argument, fmt::format("{}: '{}' {}", where, field, why),
              "the file is damaged or belongs to another kind of model: fetch it again");
}

std::optional<double> as_number(const json::value& value) {
  if (value.is_bool()) return value.get_bool() ? 1.0 : 0.0;
  if (value.is_number()) return value.to_number<double>();
  return std::nullopt;
}

double finite(const json::value& value, std::string_view where, std::string_view field) {
  if (!value.is_number()) refuse(where, field, "is no number");
  const auto number = value.to_number<double>();
  if (!std::isfinite(static_cast<float>(number))) refuse(where, field, "is not finite");
  return number;
}

constexpr std::array<std::string_view, 3> kWriting{"ForCausalLM", "LMHeadModel",
                                                   "ForConditionalGeneration"};

// Of this model_type those that write text; where there are none, the models alone.
std::set<std::string_view> classes_of(std::string_view model_type) {
  std::set<std::string_view> writers, alone;
  for (const auto& family : Registry<Family>::all()) {
    for (const HfClass& one : family->hf_classes()) {
      if (one.model_type.empty() || one.model_type != model_type) continue;
      const bool writes = std::ranges::any_of(
          kWriting, [&](std::string_view ending) { return one.name.ends_with(ending); });
      if (writes) writers.insert(one.name);
      if (!writes && one.name.ends_with("Model")) alone.insert(one.name);
    }
  }
  return writers.empty() ? alone : writers;
}

// As transformers does, by model_type where no class is named.
std::string class_of(const json::object& config) {
  const json::value* list = config.if_contains("architectures");
  if (list != nullptr && list->is_array() && !list->get_array().empty() &&
      list->get_array()[0].is_string()) {
    return std::string(list->get_array()[0].get_string());
  }
  const json::value* type = config.if_contains("model_type");
  const bool has_type = type != nullptr && type->is_string();
  if (has_type) {
    const auto names = classes_of(std::string_view(type->get_string()));
    if (names.size() == 1) return std::string(*names.begin());
  }
  throw Error(Code::invalid_argument,
              fmt::format("config.json: 'architectures' does not name the model's class, nor does "
                          "'model_type'{}",
                          has_type ? ": " + printable(to_json(*type)) : std::string()),
              "add the class of transformers that the model is of, such as \"architectures\": "
              "[\"BertModel\"]");
}

std::string_view first_name(std::initializer_list<std::string_view> names) {
  return *names.begin();
}

}  // namespace

HfConfig::HfConfig(const json::object& config)
    : config_(config), text_(&config), architecture_(class_of(config)) {
  const json::value* part = config.if_contains("text_config");
  if (part != nullptr && part->is_object()) text_ = &part->get_object();
}

const json::value* HfConfig::find(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) read_.emplace(name);
  bool is_named = false;
  for (const std::string_view name : names) {
    for (const json::object* part : {text_, &config_}) {
      const json::value* value = part->if_contains(name);
      if (value != nullptr && !value->is_null()) return value;
      is_named = is_named || value != nullptr;
    }
  }
  for (const std::string_view name : names) {
    const json::value* value = defaults_.if_contains(name);
    if (value != nullptr && !is_named) return value;
  }
  return nullptr;
}

std::optional<int64_t> HfConfig::integer(std::initializer_list<std::string_view> names) const {
  const json::value* value = find(names);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  if (value->is_double()) {  // 1e4
    const double number = value->get_double();
    if (number == std::floor(number) && std::abs(number) < 1e15)
      return static_cast<int64_t>(number);
  }
  refuse("config.json", first_name(names), "is no whole number");
}

int64_t HfConfig::need_integer(std::initializer_list<std::string_view> names) const {
  const auto value = integer(names);
  if (!value) refuse("config.json", first_name(names), "is missing");
  return *value;
}

std::optional<double> HfConfig::number(std::initializer_list<std::string_view> names) const {
  const json::value* value = find(names);
  if (value == nullptr) return std::nullopt;
  return finite(*value, "config.json", first_name(names));
}

std::optional<bool> HfConfig::flag(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) refuse("config.json", name, "is neither true nor false");
  return value->get_bool();
}

std::optional<std::string> HfConfig::text(std::initializer_list<std::string_view> names) const {
  const json::value* value = find(names);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse("config.json", first_name(names), "is no text");
  return std::string(value->get_string());
}

std::vector<std::string> HfConfig::texts(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return {};
  if (!value->is_array()) refuse("config.json", name, "is no list");
  std::vector<std::string> out;
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_string()) refuse("config.json", name, "holds what is no text");
    out.emplace_back(entry.get_string());
  }
  return out;
}

std::vector<int64_t> HfConfig::integers(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return {};
  if (!value->is_array()) refuse("config.json", name, "is no list");
  std::vector<int64_t> out;
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_int64()) refuse("config.json", name, "holds what is no whole number");
    out.push_back(entry.get_int64());
  }
  return out;
}

const json::object* HfConfig::object(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) refuse("config.json", name, "is no object");
  return &value->get_object();
}

void HfConfig::refuse_unread() const {
  for (const Neutral& neutral : kNeutral) {
    if (read_.contains(neutral.field)) continue;
    const json::value* value = text_->if_contains(neutral.field);
    if (value == nullptr || value->is_null()) continue;
    if (const auto number = as_number(*value); number && *number == neutral.value) continue;
    throw Error(Code::unimplemented,
                fmt::format("config.json: '{}' is {}, which is not supported yet for {}",
                            neutral.field, printable(to_json(*value)), architecture_),
                "choose another model of this family");
  }
}

std::optional<double> number_in(const json::object& object, std::string_view name,
                                std::string_view where) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return finite(*value, where, name);
}

std::optional<bool> flag_in(const json::object& object, std::string_view name,
                            std::string_view where) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_bool()) refuse(where, name, "is neither true nor false");
  return value->get_bool();
}

std::vector<float> numbers_in(const json::object& object, std::string_view name,
                              std::string_view where) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_array()) refuse(where, name, "is no list of numbers");
  std::vector<float> out;
  for (const json::value& entry : value->get_array()) {
    out.push_back(static_cast<float>(finite(entry, where, name)));
  }
  return out;
}

std::optional<std::string> text_in(const json::object& object, std::string_view name,
                                   std::string_view where) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_string()) refuse(where, name, "is no text");
  return std::string(value->get_string());
}

}  // namespace strata::models
