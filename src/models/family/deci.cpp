// DeciLM and what is cut out of Llama as it was (Llama Nemotron 51B, Super 49B, Ultra 253B): as
// Llama, but of each layer attention may have other heads of keys, and the MLP another width;
// either may be one matrix, or missing.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

// One matrix in the place of attention, as llama.cpp's converter has it; in that of an MLP, in our
// files only.
constexpr std::string_view kForAttention = "attn_output";
constexpr std::string_view kForMlp = "ffn_down";

// What config.json says of a layer.
struct LayerShape {
  int32_t n_heads = 0;
  int32_t n_kv_heads = 0;
  int32_t n_hidden = 0;
};

class Deci final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"deci"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "deci");
    return build.decoder([&](int32_t i) {
      Layer layer;
      add_attention(build, i, layer);
      add_mlp(build, i, layer);
      return layer;
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"DeciLMForCausalLM", "deci", "nemotron-nas"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.decoder_keys();
    if (t.config().find("block_configs") != nullptr) {
      layer_keys(t);
    } else if (t.config().find("num_key_value_heads_per_layer") != nullptr) {
      t.set_integers("attention.head_count_kv",
                     t.each_layer("num_key_value_heads_per_layer", kMaxHeads));
    }
    t.tensors(pair_rules());
    t.tensors(decoder_rules());
  }

  void configure(const ModelSpec& spec, const ModelFile&, std::string_view,
                 HfFields& fields) const override {
    json::array blocks;
    int32_t n_heads = 0;
    for (const Layer& layer : spec.layers) {
      json::object attention = no_part(), mlp = no_part();
      for (const Block& block : layer.blocks) {
        if (const auto* op = std::get_if<Attention>(&block.op)) {
          n_heads = op->n_heads;
          attention["no_op"] = false;
          attention["n_heads_in_group"] = op->n_heads / op->n_kv_heads;
        } else if (const auto* wide = std::get_if<Mlp>(&block.op)) {
          mlp["no_op"] = false;
          mlp["ffn_mult"] = 1.5 * wide->n_hidden / spec.n_embd;
        } else {
          const TensorId id = std::get<Projection>(block.op).out.weight;
          const std::string& name = spec.tensors[static_cast<size_t>(id)].name;
          json::object& part = name.find(kForMlp) == std::string::npos ? attention : mlp;
          part["no_op"] = false;
          part["replace_with_linear"] = true;
        }
      }
      blocks.push_back(json::object{{"attention", std::move(attention)}, {"ffn", std::move(mlp)}});
    }
    fields.said["block_configs"] = std::move(blocks);
    fields.said["num_attention_heads"] = n_heads;
    fields.said["num_key_value_heads"] = fields.said["intermediate_size"] = nullptr;
  }

 private:
  // Of attention or of an MLP.
  static json::object no_part() {
    return {{"no_op", true},
            {"n_heads_in_group", nullptr},
            {"ffn_mult", nullptr},
            {"sparsify", nullptr},
            {"window_length", nullptr},
            {"num_sink_tokens", nullptr},
            {"replace_with_linear", false}};
  }

  static void add_attention(SpecBuilder& build, int32_t layer, Layer& into) {
    const int32_t n_heads =
        build.layer_count("attention.head_count", layer, std::nullopt, 0, kMaxHeads);
    if (n_heads == 0) return;
    const Norm norm = build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd);
    if (build.layer_count("attention.head_count_kv", layer, n_heads, 0, kMaxHeads) == 0) {
      return add_matrix(build, norm, layer_name(layer, "attn_output"), into);
    }
    into.blocks.push_back({norm, build.attention(layer, RopeKind::adjacent), {}, false});
  }

  static void add_mlp(SpecBuilder& build, int32_t layer, Layer& into) {
    const std::string matrix = layer_name(layer, "ffn_down");
    const bool is_mlp =
        build.layer_count("feed_forward_length", layer, std::nullopt, 0, kMaxHidden) > 0;
    if (!is_mlp && !build.has(matrix + ".weight")) return;
    const Norm norm = build.rms_norm(layer_name(layer, "ffn_norm"), build.spec.n_embd);
    if (!is_mlp) return add_matrix(build, norm, matrix, into);
    into.blocks.push_back({norm, build.mlp(layer, true, Activation::silu), {}, false});
  }

  static void add_matrix(SpecBuilder& build, const Norm& norm, const std::string& name,
                         Layer& into) {
    const int64_t n_embd = build.spec.n_embd;
    into.blocks.push_back({norm, Projection{build.linear(name, n_embd, n_embd)}, {}, false});
  }

  [[noreturn]] static void refuse_block(size_t layer, std::string_view why) {
    throw Error(Code::unimplemented,
                fmt::format("config.json: block_configs: layer {} {}, which is not supported yet",
                            layer, why),
                "choose another model of this family");
  }

  static bool is_set(const json::object& part, std::string_view field) {
    const json::value* value = part.if_contains(field);
    return value != nullptr && !value->is_null() && *value != false;
  }

  static const json::object& part_of(const json::value& block, std::string_view name,
                                     size_t layer) {
    const json::value* part = block.is_object() ? block.get_object().if_contains(name) : nullptr;
    if (part == nullptr || !part->is_object()) {
      throw Error(Code::invalid_argument,
                  fmt::format("config.json: block_configs: layer {} has no '{}'", layer, name));
    }
    return part->get_object();
  }

  static void heads_of(const json::object& attention, size_t layer, int32_t n_heads,
                       LayerShape& shape) {
    for (const char* field : {"window_length", "num_sink_tokens", "sparsify"}) {
      if (is_set(attention, field)) refuse_block(layer, fmt::format("has '{}'", field));
    }
    const auto group = number_in(attention, "n_heads_in_group", "config.json: block_configs");
    if (is_set(attention, "no_op")) return;
    if (is_set(attention, "replace_with_linear")) {
      shape.n_heads = n_heads;
    } else if (group) {
      if (!(*group >= 1) || *group > n_heads || std::fmod(n_heads, *group) != 0) {
        throw Error(Code::invalid_argument,
                    fmt::format("config.json: block_configs: layer {} has 'n_heads_in_group' {}, "
                                "of {} heads",
                                layer, *group, n_heads));
      }
      shape.n_heads = n_heads;
      shape.n_kv_heads = n_heads / static_cast<int32_t>(*group);
    }
  }

  // Two thirds of a multiple of the model's width, up to the next multiple of 256.
  static void width_of(const json::object& ffn, size_t layer, int32_t n_embd, LayerShape& shape) {
    constexpr int64_t kMultiple = 256;
    if (is_set(ffn, "sparsify")) refuse_block(layer, "has 'sparsify' in its MLP");
    const auto multiplier = number_in(ffn, "ffn_mult", "config.json: block_configs");
    if (!multiplier || is_set(ffn, "no_op") || is_set(ffn, "replace_with_linear")) return;
    const double wanted = 2 * *multiplier * n_embd / 3;
    if (!(wanted >= 1) || wanted > kMaxHidden) {
      throw Error(Code::invalid_argument,
                  fmt::format("config.json: block_configs: layer {} has 'ffn_mult' {}", layer,
                              *multiplier));
    }
    const auto n = static_cast<int64_t>(wanted);
    shape.n_hidden = static_cast<int32_t>((n + kMultiple - 1) / kMultiple * kMultiple);
  }

  static void matrix(Translation& t, size_t layer, const json::object& part, std::string_view ours,
                     std::string_view theirs) {
    if (!is_set(part, "replace_with_linear")) return;
    const std::string own = layer_name(static_cast<int32_t>(layer), ours);
    const std::string stored = fmt::format("model.layers.{}.{}", layer, theirs);
    t.tensors(std::array{TensorRule{own, stored}});
  }

  static void layer_keys(Translation& t) {
    const json::value* blocks = t.config().find("block_configs");
    const auto n_layers = static_cast<size_t>(t.n_layers());
    if (!blocks->is_array() || blocks->get_array().size() != n_layers) {
      throw Error(Code::invalid_argument,
                  fmt::format("config.json: 'block_configs' has not an entry for each of {} layers",
                              n_layers));
    }
    const int32_t n_heads = t.width("num_attention_heads", kMaxHeads);
    const int32_t n_embd = t.width("hidden_size", kMaxEmbedding);
    std::vector<int32_t> heads, kv_heads, widths;
    for (size_t i = 0; i < n_layers; ++i) {
      const json::value& block = blocks->get_array()[i];
      LayerShape shape;
      const json::object& attention = part_of(block, "attention", i);
      const json::object& mlp = part_of(block, "ffn", i);
      heads_of(attention, i, n_heads, shape);
      width_of(mlp, i, n_embd, shape);
      matrix(t, i, attention, kForAttention, "self_attn.linear_attn");
      matrix(t, i, mlp, kForMlp, "mlp.linear_mlp");
      heads.push_back(shape.n_heads);
      kv_heads.push_back(shape.n_kv_heads);
      widths.push_back(shape.n_hidden);
    }
    t.set_integers("attention.head_count", heads);
    t.set_integers("attention.head_count_kv", kv_heads);
    t.set_integers("feed_forward_length", widths);
  }
};

const Registered<Family> registered{std::make_unique<Deci>()};

}  // namespace
}  // namespace strata::models
