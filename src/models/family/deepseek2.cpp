// DeepSeek V2, V2-Lite, V3, R1: latent attention, first layers that are dense, then experts in
// groups with shared ones, YaRN whose magnitude is in the scores.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/inverse_translation.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr std::array<std::string_view, 8> kKeys{"expert_count",
                                                "expert_used_count",
                                                "expert_weights_scale",
                                                "expert_gating_func",
                                                "expert_group_count",
                                                "expert_shared_count",
                                                "leading_dense_block_count",
                                                "rope.scaling.yarn_log_multiplier"};

constexpr std::array kLatent{
    TensorRule{"blk.{}.attn_q_a", "model.layers.{}.self_attn.q_a_proj"},
    TensorRule{"blk.{}.attn_q_a_norm", "model.layers.{}.self_attn.q_a_layernorm"},
    TensorRule{"blk.{}.attn_q_b", "model.layers.{}.self_attn.q_b_proj"},
    TensorRule{"blk.{}.attn_kv_a_mqa", "model.layers.{}.self_attn.kv_a_proj_with_mqa"},
    TensorRule{"blk.{}.attn_kv_a_norm", "model.layers.{}.self_attn.kv_a_layernorm"},
    TensorRule{"blk.{}.exp_probs_b.bias", "model.layers.{}.mlp.gate.e_score_correction_bias"},
    TensorRule{"blk.{}.ffn_gate_shexp", "model.layers.{}.mlp.shared_experts.gate_proj"},
    TensorRule{"blk.{}.ffn_up_shexp", "model.layers.{}.mlp.shared_experts.up_proj"},
    TensorRule{"blk.{}.ffn_down_shexp", "model.layers.{}.mlp.shared_experts.down_proj"},
};

class DeepSeek2 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"deepseek2"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "deepseek2", kKeys);
    const ExpertRules rules{.of_file = true};
    return build.decoder([&](int32_t i) -> Layer {
      return {{attention(build, i), build.feed_forward(i, rules, Activation::silu)}};
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{kSecond, "deepseek2", "deepseek_v2"},
            {"DeepseekV3ForCausalLM", "deepseek2", "deepseek_v3"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    if (!t.config().flag("rope_interleave").value_or(true)) {
      throw Error(Code::unimplemented,
                  "config.json: 'rope_interleave' is false, which is not supported yet");
    }
    t.magnitude_in_scores();
    if (t.config().architecture() != kSecond) {  // as transformers' class has it
      t.set_defaults({{"routed_scaling_factor", 2.5}, {"n_group", 8}, {"topk_group", 4}});
    }
    t.decoder_keys();
    latent_keys(t);
    routing_keys(t);
    t.leave_out_layers(t.config().integer("num_nextn_predict_layers").value_or(0));
    t.tensors(kLatent);
    t.tensors(decoder_rules());
    t.tensors(expert_rules());
  }

  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view hf_class,
                 HfFields& fields) const override {
    json::object& said = fields.said;
    const auto& latent = std::get<LatentAttention>(spec.layers[0].blocks[0].op);
    const auto whole = [&](std::string_view suffix) {
      return file.integer(fmt::format("{}.{}", spec.family, suffix));
    };
    said["kv_lora_rank"] = latent.n_latent;
    said["qk_nope_head_dim"] = latent.plain_dim;
    said["qk_rope_head_dim"] = said["head_dim"] = latent.rope.n_dims;
    said["v_head_dim"] = latent.value_dim;
    said["num_key_value_heads"] = latent.n_heads;
    said["q_lora_rank"] = nullptr;  // classes have one where it is not said
    if (const auto rank = whole("attention.q_lora_rank"); rank && *rank > 0) {
      said["q_lora_rank"] = *rank;
    }
    said["first_k_dense_replace"] = whole("leading_dense_block_count").value_or(0);
    const Moe* moe = nullptr;
    for (const Layer& layer : spec.layers) {
      if (moe == nullptr) moe = std::get_if<Moe>(&layer.blocks[1].op);
    }
    if (moe == nullptr) throw Error(Code::unimplemented, "the model has no experts");
    routing_fields(*moe, hf_class == kSecond, said);
  }

 private:
  static constexpr std::string_view kSecond = "DeepseekV2ForCausalLM";

  // Widths, and of each layer kv_b_proj as two stacks of a matrix a head.
  static void latent_keys(Translation& t) {
    const int32_t n_heads = t.width("num_attention_heads", kMaxHeads);
    const int32_t latent = t.width("kv_lora_rank", kMaxHeadDim);
    const int32_t plain = t.width("qk_nope_head_dim", kMaxHeadDim);
    const int32_t rotated = t.width("qk_rope_head_dim", kMaxHeadDim);
    const int32_t value = t.width("v_head_dim", kMaxHeadDim);
    t.set_kv_heads(1);
    t.copy_integer("attention.q_lora_rank", {"q_lora_rank"});
    t.set_integer("attention.kv_lora_rank", latent);
    t.set_integer("attention.key_length", latent + rotated);
    t.set_integer("attention.value_length", latent);
    t.set_integer("attention.key_length_mla", plain + rotated);
    t.set_integer("attention.value_length_mla", value);
    t.set_integer("rope.dimension_count", rotated);
    for (int32_t i = 0; i < t.n_layers(); ++i) {
      const std::string stored = fmt::format("model.layers.{}.self_attn.kv_b_proj.weight", i);
      t.heads(layer_name(i, "attn_k_b.weight"), stored, {n_heads, plain + value, 0, plain},
              Change::transposed);
      t.heads(layer_name(i, "attn_v_b.weight"), stored, {n_heads, plain + value, plain, value});
    }
  }

  static void expect(const Translation& t, std::string_view field,
                     std::initializer_list<std::string_view> known) {
    const auto value = t.config().text(field);
    if (!value || std::ranges::find(known, *value) != known.end()) return;
    throw Error(Code::unimplemented,
                fmt::format("config.json: '{}' is '{}', which is not supported yet for {}", field,
                            printable(*value), t.config().architecture()));
  }

  static void routing_fields(const Moe& moe, bool is_second, json::object& said) {
    said["norm_topk_prob"] = moe.renormalized;
    said["scoring_func"] = moe.gating == Gating::softmax ? "softmax" : "sigmoid";
    said["routed_scaling_factor"] = shortest(moe.scale);
    said["n_group"] = moe.n_groups;
    said["topk_group"] = moe.n_groups_used;
    const bool of_all = moe.n_groups == 1;
    said["topk_method"] = !is_second ? "noaux_tc" : of_all ? "greedy" : "group_limited_greedy";
  }

  static void routing_keys(Translation& t) {
    constexpr int64_t kSoftmax = 1, kSigmoid = 2;
    const HfConfig& config = t.config();
    const bool is_second = config.architecture() == kSecond;
    expect(t, "scoring_func", {is_second ? "softmax" : "sigmoid"});
    const bool renormalized = config.flag("norm_topk_prob").value_or(!is_second);
    // V2's weights are scaled or renormalised, and no published model asks for the second.
    t.expert_keys(is_second ? false : renormalized);
    t.set_flag("expert_weights_norm", renormalized);
    t.set_integer("expert_gating_func", is_second ? kSoftmax : kSigmoid);
    t.copy_integer("expert_shared_count", {"n_shared_experts"});
    t.copy_number("expert_weights_scale", {"routed_scaling_factor"});
    t.set_integer("leading_dense_block_count", config.integer("first_k_dense_replace").value_or(0));
    const std::string method =
        config.text("topk_method").value_or(is_second ? "greedy" : "noaux_tc");
    expect(t, "topk_method",
           is_second ? std::initializer_list<std::string_view>{"greedy", "group_limited_greedy"}
                     : std::initializer_list<std::string_view>{"noaux_tc"});
    if (method == "greedy") return;  // of all experts
    t.copy_integer("expert_group_count", {"n_group"});
    t.copy_integer("expert_group_used_count", {"topk_group"});
  }

  // A width of one head. In files from before 2025-04 the keys without "_mla" say it, which now say
  // what the cache holds.
  static int32_t head_width(const SpecBuilder& build, const std::string& suffix) {
    const bool has_own = build.file().find(build.key(suffix + "_mla")) != nullptr;
    return build.count(has_own ? suffix + "_mla" : suffix, 1, kMaxHeadDim);
  }

  static Block attention(SpecBuilder& build, int32_t layer) {
    LatentAttention op;
    op.n_heads = build.layer_count("attention.head_count", layer, std::nullopt, 1, kMaxHeads);
    op.n_latent = build.count("attention.kv_lora_rank", 1, kMaxHeadDim);
    op.value_dim = head_width(build, "attention.value_length");
    const int32_t key_dim = head_width(build, "attention.key_length");
    op.rope = build.rope(RopeKind::adjacent, key_dim);
    op.plain_dim = key_dim - op.rope.n_dims;
    if (op.plain_dim < 1) {
      refuse(fmt::format("{} is {}, of heads of {}", build.key("rope.dimension_count"),
                         op.rope.n_dims, key_dim));
    }
    op.scale = build.attention_scale(key_dim) * magnitude_of_scores(build, op.rope);
    queries(build, layer, op, key_dim);
    op.kv_a = build.linear(layer_name(layer, "attn_kv_a_mqa"), op.n_latent + op.rope.n_dims,
                           build.spec.n_embd);
    op.kv_norm = build.rms_norm(layer_name(layer, "attn_kv_a_norm"), op.n_latent);
    keys_and_values(build, layer, op);
    op.o = build.linear(layer_name(layer, "attn_output"), build.spec.n_embd,
                        int64_t{op.n_heads} * op.value_dim);
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }

  // The square of 1 + multiplier * ln(factor), keys' and queries' share each.
  static float magnitude_of_scores(const SpecBuilder& build, const Rope& rope) {
    const float multiplier = build.number_or("rope.scaling.yarn_log_multiplier", 0.0f);
    if (multiplier < 0) {
      refuse(fmt::format("{} is {}", build.key("rope.scaling.yarn_log_multiplier"), multiplier));
    }
    if (rope.yarn.first_context == 0 || rope.position_scale >= 1) return 1.0f;
    const float magnitude = 1.0f - multiplier * std::log(rope.position_scale);
    return magnitude * magnitude;
  }

  static void queries(SpecBuilder& build, int32_t layer, LatentAttention& op, int32_t key_dim) {
    const int64_t width = int64_t{op.n_heads} * key_dim;
    const int32_t rank = build.count_or("attention.q_lora_rank", 0, 0, kMaxEmbedding);
    if (rank == 0) {
      op.q = build.linear(layer_name(layer, "attn_q"), width, build.spec.n_embd);
      return;
    }
    op.q_a = build.linear(layer_name(layer, "attn_q_a"), rank, build.spec.n_embd);
    op.q_a_norm = build.rms_norm(layer_name(layer, "attn_q_a_norm"), rank);
    op.q = build.linear(layer_name(layer, "attn_q_b"), width, rank);
  }

  // attn_k_b and attn_v_b, or in files from before 2025-04 attn_kv_b: of each head the rows of k_b,
  // then those of v_b.
  static void keys_and_values(SpecBuilder& build, int32_t layer, LatentAttention& op) {
    const int64_t n_matrices = int64_t{build.n_layers()} * op.n_heads * 2;
    if (n_matrices > kMaxHeadMatrices) {
      refuse(fmt::format("{} is {} in {} layers, {} matrices, the limit is {}",
                         build.key("attention.head_count"), op.n_heads, build.n_layers(),
                         n_matrices, kMaxHeadMatrices));
    }
    const std::string fused = layer_name(layer, "attn_kv_b.weight");
    if (build.has(fused)) {
      const int32_t head = op.plain_dim + op.value_dim;
      op.k_b = build.parts(fused, op.n_heads, 0, head, op.plain_dim, op.n_latent);
      op.v_b = build.parts(fused, op.n_heads, op.plain_dim, head, op.value_dim, op.n_latent);
      return;
    }
    op.k_b_transposed = true;
    op.k_b =
        build.stack(layer_name(layer, "attn_k_b.weight"), op.n_heads, op.n_latent, op.plain_dim);
    op.v_b =
        build.stack(layer_name(layer, "attn_v_b.weight"), op.n_heads, op.value_dim, op.n_latent);
  }
};

const Registered<Family> registered{std::make_unique<DeepSeek2>()};

}  // namespace
}  // namespace strata::models
