// What decoders' configurations say, as keys of GGUF's.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

int32_t in_limits(int64_t value, int32_t max, std::string_view field) {
  if (value >= 1 && value <= max) return static_cast<int32_t>(value);
  throw Error(Code::invalid_argument,
              fmt::format("config.json: '{}' is {}, not from 1 to {}", field, value, max));
}

}  // namespace

std::string Translation::key(std::string_view suffix) const {
  return fmt::format("{}.{}", architecture_, suffix);
}

std::optional<int64_t> Translation::copy_integer(std::string_view suffix,
                                                 std::initializer_list<std::string_view> fields) {
  const auto value = config_.integer(fields);
  if (value) set_integer(suffix, *value);
  return value;
}

std::optional<double> Translation::copy_number(std::string_view suffix,
                                               std::initializer_list<std::string_view> fields) {
  const auto value = config_.number(fields);
  if (value) set_number(suffix, *value);
  return value;
}

void Translation::copy_text(std::string_view suffix, std::string_view field) {
  if (const auto value = config_.text(field)) set_text(key(suffix), *value);
}

void Translation::copy_flag(std::string_view suffix, std::string_view field, bool otherwise) {
  set_flag(suffix, config_.flag(field).value_or(otherwise));
}

void Translation::copy_scale(std::string_view field) {
  const auto width = config_.number(field);
  if (width && *width > 0) set_number("attention.scale", 1.0 / std::sqrt(*width));
}

void Translation::said_by_tensor(std::string_view field, std::string_view /*ours*/,
                                 bool /*there*/) {
  config_.flag(field);
}

int64_t Translation::need_integer(std::string_view suffix,
                                  std::initializer_list<std::string_view> fields) {
  const auto value = copy_integer(suffix, fields);
  return value ? *value : config_.need_integer(fields);  // which says what is missing
}

int32_t Translation::width(std::string_view field, int32_t max) const {
  return in_limits(config_.need_integer({field}), max, field);
}

void Translation::set_architecture(std::string_view name) {
  architecture_ = name;
  file_->set_text("general.architecture", name);
}

void Translation::decoder_keys() {
  n_layers_ = in_limits(need_integer("block_count", {"num_hidden_layers", "n_layer", "num_layers"}),
                        kMaxLayers, "num_hidden_layers");
  const int32_t n_embd =
      in_limits(need_integer("embedding_length", {"hidden_size", "n_embd", "n_embed", "d_model"}),
                kMaxEmbedding, "hidden_size");
  n_heads_ = in_limits(
      need_integer("attention.head_count", {"num_attention_heads", "n_head", "num_heads"}),
      kMaxHeads, "num_attention_heads");
  n_kv_heads_ =
      in_limits(copy_integer("attention.head_count_kv", {"num_key_value_heads"}).value_or(n_heads_),
                kMaxHeads, "num_key_value_heads");
  head_dim_ =
      in_limits(copy_integer("attention.key_length", {"head_dim"}).value_or(n_embd / n_heads_),
                kMaxHeadDim, "head_dim");
  set_integer("attention.head_count_kv", n_kv_heads_);
  set_integer("attention.key_length", head_dim_);
  set_integer("attention.value_length", head_dim_);
  copy_integer("context_length", {"max_position_embeddings", "n_positions", "max_sequence_length"});
  const json::value* width = config_.find("intermediate_size");
  if (width == nullptr || !width->is_array()) {  // else one a layer, which the family reads
    copy_integer("feed_forward_length", {"intermediate_size", "n_inner", "ffn_dim"});
  }
  copy_integer("vocab_size", {"vocab_size"});
  copy_number("attention.layer_norm_rms_epsilon", {"rms_norm_eps"});
  copy_number("attention.layer_norm_epsilon",
              {"layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"});
  rotary();
  names_of_decoder();
}

// Folders of vectors have the model alone, without the `model.` of the rules; those that see or
// hear, too, have it among other parts, with an older and a newer order of names.
void Translation::names_of_decoder() {
  constexpr std::array<std::string_view, 6> kOtherParts{"vision_tower.", "vision_model.",
                                                        "audio_tower.",  "multi_modal_projector.",
                                                        "embed_vision.", "embed_audio."};
  const auto begin_with = [&](std::string_view prefix) {
    return has(fmt::format("{}embed_tokens.weight", prefix));
  };
  if (begin_with("model.")) return;
  if (begin_with("")) return drop_prefix("model.");
  const bool is_older = begin_with("language_model.model.");
  if (!is_older && !begin_with("model.language_model.")) return;
  set_prefix(is_older ? "language_model." : "model.language_model.");
  if (!is_older) drop_prefix("model.");
  for (const std::string_view part : kOtherParts) {
    leave_out(fmt::format("{}{}", is_older ? "" : "model.", part));
  }
}

bool Translation::is_model_alone() const {
  const std::string& name = config_.architecture();
  return name.ends_with("Model") && !name.ends_with("LMHeadModel");
}

void Translation::headless_if_model_alone() {
  if (is_model_alone()) set_flag(kHeadless, true);
}

void Translation::set_kv_heads(int64_t n) {
  n_kv_heads_ = in_limits(n, kMaxHeads, "num_kv_heads");
  set_integer("attention.head_count_kv", n_kv_heads_);
}

void Translation::set_layers(int64_t n, std::string_view field) {
  n_layers_ = in_limits(n, kMaxLayers, field);
}

void Translation::expect_activation(std::initializer_list<std::string_view> known) {
  auto name =
      config_.text({"hidden_activation", "hidden_act", "activation_function", "activation"});
  if (name == "swish") name = "silu";  // which is the same
  if (!name || std::ranges::find(known, *name) != known.end()) return;
  throw Error(Code::unimplemented,
              fmt::format("config.json: 'hidden_act' is '{}', which is not supported yet for {}",
                          printable(*name), config_.architecture()));
}

void Translation::refuse_unless_off(std::string_view field) const {
  const json::value* value = config_.find(field);
  if (value == nullptr || *value == false || *value == 0) return;
  throw Error(Code::unimplemented,
              fmt::format("config.json: '{}' is {}, which is not supported yet for {}", field,
                          printable(to_json(*value)), config_.architecture()));
}

void Translation::expect(std::string_view field, const json::value& value) {
  const json::value* said = config_.find(field);
  if (said == nullptr || *said == value) return;
  throw Error(Code::unimplemented,
              fmt::format("config.json: '{}' is {}, which is not supported yet for {}", field,
                          printable(to_json(*said)), config_.architecture()));
}

void Translation::windows() {
  const auto window = config_.integer("sliding_window");
  if (!window || *window <= 0) return;
  const auto types = config_.texts("layer_types");
  if (types.empty()) {
    set_integer("attention.sliding_window", *window);
    copy_integer("attention.sliding_window_pattern", {"sliding_window_pattern"});
    return;
  }
  if (types.size() != static_cast<size_t>(n_layers_)) {
    throw Error(Code::invalid_argument, fmt::format("config.json: 'layer_types' has {} entries for "
                                                    "{} layers",
                                                    types.size(), n_layers_));
  }
  std::vector<bool> windowed;
  for (const std::string& type : types) {
    if (type != "sliding_attention" && type != "full_attention") {
      throw Error(Code::unimplemented,
                  fmt::format("config.json: a layer of type '{}' is not supported yet for {}",
                              printable(type), config_.architecture()));
    }
    windowed.push_back(type == "sliding_attention");
  }
  if (std::ranges::find(windowed, true) == windowed.end()) return;
  set_integer("attention.sliding_window", *window);
  set_flags("attention.sliding_window_pattern", windowed);
}

void Translation::no_windows() {
  config_.find("sliding_window");
  if (!config_.flag("use_sliding_window").value_or(false)) return;
  throw Error(Code::unimplemented,
              fmt::format("config.json: 'use_sliding_window' is not supported yet for {}",
                          config_.architecture()));
}

void Translation::expert_keys(bool renormalized) {
  const auto n =
      copy_integer("expert_count", {"num_experts", "num_local_experts", "n_routed_experts"});
  if (!n || *n == 0) return;
  copy_integer("expert_used_count", {"num_experts_per_tok"});
  copy_integer("expert_feed_forward_length", {"moe_intermediate_size"});
  const auto refuse = [&](std::string_view field) {
    throw Error(Code::unimplemented, fmt::format("config.json: '{}' is not supported yet for {}",
                                                 field, config_.architecture()));
  };
  expect("norm_topk_prob", renormalized);
  if (config_.integer("decoder_sparse_step").value_or(1) != 1) refuse("decoder_sparse_step");
  const json::value* dense = config_.find("mlp_only_layers");
  if (dense != nullptr && !(dense->is_array() && dense->get_array().empty())) {
    refuse("mlp_only_layers");
  }
}

}  // namespace strata::models
