// Granite, dense and with experts, and MiniCPM 1 and 2: as Llama, with factors on embeddings,
// attention, what each block adds, and logits. Granite 4 hybrids: most layers are state spaces, the
// others have no positions.
#include <array>
#include <cmath>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/limits.h"
#include "models/family/refuse.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kExperts{
    TensorRule{"blk.{}.ffn_gate_inp", "model.layers.{}.block_sparse_moe.router.layer"},
    TensorRule{"blk.{}.ffn_gate_exps", "model.layers.{}.block_sparse_moe.input_linear",
               Change::first_half},
    TensorRule{"blk.{}.ffn_up_exps", "model.layers.{}.block_sparse_moe.input_linear",
               Change::second_half},
    TensorRule{"blk.{}.ffn_down_exps", "model.layers.{}.block_sparse_moe.output_linear"},
    TensorRule{"blk.{}.ffn_gate_shexp", "model.layers.{}.shared_mlp.input_linear",
               Change::first_half},
    TensorRule{"blk.{}.ffn_up_shexp", "model.layers.{}.shared_mlp.input_linear",
               Change::second_half},
    TensorRule{"blk.{}.ffn_down_shexp", "model.layers.{}.shared_mlp.output_linear"},
};

constexpr std::array<std::string_view, 5> kKeys{"expert_count", "expert_used_count",
                                                "expert_weights_scale", "embedding_scale",
                                                "residual_scale"};

class Granite final : public Family {
 public:
  std::vector<std::string_view> architectures() const override {
    return {"granite", "granitemoe", "granitehybrid", kMiniCpm};
  }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, std::string(*file.text("general.architecture")), kKeys);
    const bool hybrid = build.spec.family == "granitehybrid";
    // Here the key says whether there are rotary positions at all.
    build.refuse_unless("rope.scaling.finetuned", hybrid ? 0 : 1);
    if (hybrid && file.find(build.key("rope.scaling.finetuned")) == nullptr) {
      refuse(fmt::format("metadata key '{}' is missing", build.key("rope.scaling.finetuned")));
    }
    if (build.spec.family == kMiniCpm) {  // whose older files don't name its factors
      for (const char* name : {"embedding_scale", "residual_scale"}) build.number(name);
    }
    build.spec.embedding_scale = factor(build, "embedding_scale");
    build.spec.logit_scale = inverse(build, "logit_scale");
    const float residual_scale = factor(build, "residual_scale");
    const ExpertRules rules{
        .renormalized = true,
        .shared = build.count_or("expert_shared_feed_forward_length", 0, 0, kMaxHidden) > 0};
    return build.decoder([&](int32_t i) {
      Layer layer{{mixer(build, i, hybrid), build.feed_forward(i, rules, Activation::silu)}};
      for (Block& block : layer.blocks) block.scale = residual_scale;
      return layer;
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"GraniteForCausalLM", "granite"},
            {"GraniteMoeForCausalLM", "granitemoe"},
            {"GraniteMoeSharedForCausalLM", "granitemoe"},
            {"MiniCPMForCausalLM", kMiniCpm}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.decoder_keys();
    t.copy_number("attention.scale", {"attention_multiplier"});
    t.copy_number("embedding_scale", {"embedding_multiplier"});
    t.copy_number("residual_scale", {"residual_multiplier"});
    t.copy_number("logit_scale", {"logits_scaling"});
    if (t.config().find("scale_emb")) minicpm_factors(t);
    t.expert_keys(true);
    t.copy_integer("expert_shared_feed_forward_length", {"shared_intermediate_size"});
    t.tensors(pair_rules());
    t.tensors(kExperts);
    t.tensors(decoder_rules());
  }

 private:
  static constexpr std::string_view kMiniCpm = "minicpm";

  static void minicpm_factors(Translation& t) {
    const auto positive = [&](std::string_view field) {
      const auto value = t.config().number(field);
      if (value && *value > 0) return *value;
      throw Error(Code::invalid_argument,
                  fmt::format("config.json: '{}' is missing or not above 0", field));
    };
    t.set_number("embedding_scale", positive("scale_emb"));
    t.set_number("residual_scale", positive("scale_depth") / std::sqrt(t.n_layers()));
    t.set_number("logit_scale", positive("hidden_size") / positive("dim_model_base"));
  }

  // 0 stands for a key that is not set.
  static float factor(const SpecBuilder& build, std::string_view suffix) {
    const float value = build.number_or(suffix, 1.0f);
    return value == 0.0f ? 1.0f : value;
  }

  static float inverse(const SpecBuilder& build, std::string_view suffix) {
    const float value = build.number(suffix);
    if (value > 0 && std::isfinite(1.0f / value)) return 1.0f / value;
    throw Error(Code::invalid_argument, fmt::format("{} is {}", build.key(suffix), value));
  }

  // Layers without KV heads are state spaces.
  static Block mixer(SpecBuilder& build, int32_t layer, bool hybrid) {
    Block block;
    block.pre_norm = build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd);
    if (hybrid &&
        build.layer_count("attention.head_count_kv", layer, std::nullopt, 0, kMaxHeads) == 0) {
      block.op = build.state_space(layer);
      return block;
    }
    Attention op = build.attention(layer, RopeKind::adjacent);
    if (hybrid) op.rope = {};
    block.op = op;
    return block;
  }
};

const Registered<Family> registered{std::make_unique<Granite>()};

}  // namespace
}  // namespace strata::models
