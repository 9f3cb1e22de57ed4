// DeepSeek V2, V2-Lite, V3, R1: latent attention, first layers that are dense, then experts in
// groups with shared ones, YaRN whose magnitude is in the scores.
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/spec_builder.h"

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

 private:
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
