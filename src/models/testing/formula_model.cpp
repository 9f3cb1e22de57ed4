#include "models/testing/formula_model.h"

#include <cmath>

#include "core/error.h"
#include "tensor/half.h"

namespace strata::models {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15ull;

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return hash;
}

uint64_t split_mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

void set_list(GgufBuilder& builder, std::string_view key, const json::array& list) {
  if (list.empty() || list[0].is_string()) {
    std::vector<std::string> texts;
    for (const auto& item : list) texts.emplace_back(item.as_string());
    builder.set_texts(key, texts);
  } else if (list[0].is_double()) {
    std::vector<float> numbers;
    for (const auto& item : list) numbers.push_back(static_cast<float>(item.as_double()));
    builder.set_f32s(key, numbers);
  } else if (list[0].is_bool()) {
    std::vector<bool> flags;
    for (const auto& item : list) flags.push_back(item.as_bool());
    builder.set_bools(key, flags);
  } else {
    std::vector<int32_t> numbers;
    for (const auto& item : list) numbers.push_back(item.to_number<int32_t>());
    builder.set_i32s(key, numbers);
  }
}

void set_value(GgufBuilder& builder, std::string_view key, const json::value& value) {
  switch (value.kind()) {
    case json::kind::string:
      builder.set_text(key, value.as_string());
      break;
    case json::kind::bool_:
      builder.set_bool(key, value.as_bool());
      break;
    case json::kind::double_:
      builder.set_f32(key, static_cast<float>(value.as_double()));
      break;
    case json::kind::array:
      set_list(builder, key, value.as_array());
      break;
    default:
      if (const auto number = value.to_number<int64_t>(); number < 0) {
        builder.set_i32(key, static_cast<int32_t>(number));
      } else {
        builder.set_u32(key, static_cast<uint32_t>(number));
      }
  }
}

}  // namespace

std::vector<float> formula_weights(std::string_view name, uint64_t cols, uint64_t rows) {
  const uint64_t seed = fnv1a(name);
  double offset = 0;
  double scale = std::sqrt(3.0 / static_cast<double>(cols));
  if (name.ends_with("norm.weight")) {
    offset = 1, scale = 0.25;
  } else if (name.ends_with(".bias")) {
    scale = 0.25;
  } else if (name.ends_with(".ssm_a")) {
    offset = -1, scale = 0.5;
  } else if (name == "rope_freqs.weight") {
    offset = 2, scale = 1;
  }
  std::vector<float> out(cols * rows);
  for (uint64_t i = 0; i < out.size(); ++i) {
    const uint64_t bits = split_mix(seed + (i + 1) * kGolden) >> 40;
    const double uniform = static_cast<double>(bits) * 0x1p-23 - 1.0;
    const auto weight = static_cast<float>(offset + scale * uniform);
    out[i] = tensor::bf16_to_f32(tensor::f32_to_bf16(weight));
  }
  return out;
}

void add_formula_tensor(GgufBuilder& builder, std::string_view name, uint64_t cols, uint64_t rows) {
  std::vector<uint64_t> shape{cols};
  if (rows > 1) shape.push_back(rows);
  builder.add_f32(name, std::move(shape), formula_weights(name, cols, rows));
}

GgufBuilder formula_model(const json::object& description) {
  GgufBuilder builder;
  for (const auto& [key, value] : description.at("metadata").as_object()) {
    set_value(builder, key, value);
  }
  for (const auto& [name, shape] : description.at("tensors").as_object()) {
    const auto sizes = json::value_to<std::vector<uint64_t>>(shape);
    uint64_t rows = 1;
    for (size_t i = 1; i < sizes.size(); ++i) rows *= sizes[i];
    builder.add_f32(name, sizes, formula_weights(name, sizes.at(0), rows));
  }
  return builder;
}

GgufBuilder tiny_llama() {
  GgufBuilder builder;
  builder.set_text("general.architecture", "llama");
  builder.set_u32("llama.block_count", 2);
  builder.set_u32("llama.context_length", 128);
  builder.set_u32("llama.embedding_length", 32);
  builder.set_u32("llama.feed_forward_length", 48);
  builder.set_u32("llama.attention.head_count", 4);
  builder.set_u32("llama.attention.head_count_kv", 2);
  builder.set_f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  builder.set_f32("llama.rope.freq_base", 10000.0f);
  builder.set_u32("llama.rope.dimension_count", 8);
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
  while (tokens.size() < 48) tokens.push_back(fmt::format("t{}", tokens.size()));
  builder.set_text("tokenizer.ggml.model", "llama");
  builder.set_texts("tokenizer.ggml.tokens", tokens);
  builder.set_f32s("tokenizer.ggml.scores", std::vector<float>(48, -1.0f));
  std::vector<int32_t> kinds(48, 1);
  kinds[0] = 2, kinds[1] = 3, kinds[2] = 3;
  builder.set_i32s("tokenizer.ggml.token_type", kinds);
  builder.set_u32("tokenizer.ggml.bos_token_id", 1);
  builder.set_u32("tokenizer.ggml.eos_token_id", 2);
  add_formula_tensor(builder, "token_embd.weight", 32, 48);
  add_formula_tensor(builder, "output_norm.weight", 32, 1);
  for (int layer = 0; layer < 2; ++layer) {
    const auto add = [&](std::string_view part, uint64_t cols, uint64_t rows) {
      add_formula_tensor(builder, fmt::format("blk.{}.{}.weight", layer, part), cols, rows);
    };
    add("attn_norm", 32, 1);
    add("attn_q", 32, 32);
    add("attn_k", 32, 16);
    add("attn_v", 32, 16);
    add("attn_output", 32, 32);
    add("ffn_norm", 32, 1);
    add("ffn_gate", 32, 48);
    add("ffn_up", 32, 48);
    add("ffn_down", 48, 32);
  }
  return builder;
}

GgufBuilder tiny_bert(bool ranks) {
  GgufBuilder builder;
  builder.set_text("general.architecture", "bert");
  builder.set_u32("bert.block_count", 2);
  builder.set_u32("bert.context_length", 64);
  builder.set_u32("bert.embedding_length", 32);
  builder.set_u32("bert.feed_forward_length", 48);
  builder.set_u32("bert.attention.head_count", 4);
  builder.set_f32("bert.attention.layer_norm_epsilon", 1e-12f);
  builder.set_bool("bert.attention.causal", false);
  builder.set_u32("bert.pooling_type", ranks ? 4 : 1);
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>", "▁"};
  for (char letter = 'a'; letter <= 'z'; ++letter) tokens.emplace_back(1, letter);
  const auto n = static_cast<uint64_t>(tokens.size());
  std::vector<int32_t> kinds(n, 1);
  kinds[0] = 2, kinds[1] = 3, kinds[2] = 3;
  builder.set_text("tokenizer.ggml.model", "llama");
  builder.set_texts("tokenizer.ggml.tokens", tokens);
  builder.set_f32s("tokenizer.ggml.scores", std::vector<float>(n, -1.0f));
  builder.set_i32s("tokenizer.ggml.token_type", kinds);
  builder.set_u32("tokenizer.ggml.bos_token_id", 1);
  builder.set_u32("tokenizer.ggml.eos_token_id", 2);
  builder.set_bool("tokenizer.ggml.add_eos_token", true);
  const auto add = [&](const std::string& name, uint64_t cols, uint64_t rows) {
    add_formula_tensor(builder, name + ".weight", cols, rows);
  };
  const auto add_with_bias = [&](const std::string& name, uint64_t cols, uint64_t rows) {
    add(name, cols, rows);
    add_formula_tensor(builder, name + ".bias", rows == 1 ? cols : rows, 1);
  };
  add("token_embd", 32, n);
  add("position_embd", 32, 64);
  add("token_types", 32, 2);
  add_with_bias("token_embd_norm", 32, 1);
  for (int layer = 0; layer < 2; ++layer) {
    const std::string block = fmt::format("blk.{}.", layer);
    for (const char* part : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
      add_with_bias(block + part, 32, 32);
    }
    add_with_bias(block + "attn_output_norm", 32, 1);
    add_with_bias(block + "ffn_up", 32, 48);
    add_with_bias(block + "ffn_down", 48, 32);
    add_with_bias(block + "layer_output_norm", 32, 1);
  }
  if (ranks) {
    add_with_bias("cls", 32, 32);
    add("cls.output", 32, 1);
  }
  return builder;
}

}  // namespace strata::models
