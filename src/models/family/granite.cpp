// Granite, dense and with experts, and MiniCPM 1 and 2: as Llama, with factors on embeddings,
// attention, what each block adds, and logits. Granite 4 hybrids: most layers are state spaces, the
// others have no positions.
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

// Of hybrids without experts.
constexpr std::array kDense{
    TensorRule{"blk.{}.ffn_gate", "model.layers.{}.shared_mlp.input_linear", Change::first_half},
    TensorRule{"blk.{}.ffn_up", "model.layers.{}.shared_mlp.input_linear", Change::second_half},
    TensorRule{"blk.{}.ffn_down", "model.layers.{}.shared_mlp.output_linear"},
};

constexpr std::array kStateSpaces{
    TensorRule{"blk.{}.ssm_in", "model.layers.{}.mamba.in_proj"},
    TensorRule{"blk.{}.ssm_conv1d.bias", "model.layers.{}.mamba.conv1d.bias"},
    TensorRule{"blk.{}.ssm_out", "model.layers.{}.mamba.out_proj"},
};

constexpr std::array<std::string_view, 5> kKeys{"expert_count", "expert_used_count",
                                                "expert_weights_scale", "embedding_scale",
                                                "residual_scale"};

class Granite final : public Family {
 public:
  std::vector<std::string_view> architectures() const override {
    return {"granite", "granitemoe", kHybrid, kMiniCpm};
  }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, std::string(*file.text("general.architecture")), kKeys);
    const bool hybrid = build.spec.family == kHybrid;
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
    return {{"GraniteForCausalLM", "granite", "granite"},
            {"GraniteMoeForCausalLM", "granitemoe", "granitemoe"},
            {kWithShared, "granitemoe", "granitemoeshared"},
            {"GraniteMoeHybridForCausalLM", kHybrid, "granitemoehybrid"},
            {kMiniCpmClass, kMiniCpm},
            {"GraniteForCausalLM", kMiniCpm, "granite"}};  // which says it with other fields
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    const bool hybrid = t.config().architecture() == "GraniteMoeHybridForCausalLM";
    const std::vector<bool> recurrent = hybrid ? recurrent_layers(t) : std::vector<bool>{};
    if (hybrid) choose_architecture(t, recurrent);
    if (t.config().architecture() != kMiniCpmClass) {  // as transformers' classes have it
      t.set_defaults({{"attention_multiplier", 1.0}, {"logits_scaling", 1.0}});
    }
    t.decoder_keys();
    t.copy_number("attention.scale", {"attention_multiplier"});
    t.copy_number("embedding_scale", {"embedding_multiplier"});
    t.copy_number("residual_scale", {"residual_multiplier"});
    t.copy_number("logit_scale", {"logits_scaling"});
    if (t.config().find("scale_emb")) minicpm_factors(t);
    t.expert_keys(true);
    if (hybrid && !has_experts(t)) {  // what all tokens go to is the dense block
      t.copy_integer("feed_forward_length", {"shared_intermediate_size"});
      t.tensors(kDense);
    } else {
      if (hybrid || t.config().architecture() == kWithShared) {
        t.copy_integer("expert_shared_feed_forward_length", {"shared_intermediate_size"});
      }
      t.tensors(kExperts);
    }
    if (hybrid) state_spaces(t, recurrent);
    t.tensors(pair_rules());
    t.tensors(decoder_rules());
  }

  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view hf_class,
                 HfFields& fields) const override {
    json::object& said = fields.said;
    said["embedding_multiplier"] = shortest(spec.embedding_scale);
    said["residual_multiplier"] = shortest(spec.layers[0].blocks[0].scale);
    said["position_embedding_type"] = "nope";
    json::array types;
    for (const Layer& layer : spec.layers) {
      const auto* attention = std::get_if<Attention>(&layer.blocks[0].op);
      types.emplace_back(attention != nullptr ? "attention" : "mamba");
      if (attention == nullptr) {
        state_space_fields(std::get<StateSpace>(layer.blocks[0].op), spec.n_embd, said);
        continue;
      }
      said["attention_multiplier"] = shortest(attention->scale);
      said["num_key_value_heads"] = attention->n_kv_heads;
      if (attention->rope.kind != RopeKind::none) said["position_embedding_type"] = "rope";
    }
    if (hf_class != "GraniteMoeHybridForCausalLM") {
      said.erase("position_embedding_type");
      return;
    }
    said["layer_types"] = types;
    said["num_hidden_layers"] = static_cast<int64_t>(types.size());
    if (file.find(fmt::format("{}.expert_count", kHybrid)) == nullptr) {
      said["num_local_experts"] = said["num_experts_per_tok"] = 0;
    }
  }

 private:
  static constexpr std::string_view kMiniCpm = "minicpm";
  static constexpr std::string_view kMiniCpmClass = "MiniCPMForCausalLM";
  static constexpr std::string_view kWithShared = "GraniteMoeSharedForCausalLM";
  static constexpr std::string_view kHybrid = "granitehybrid";

  static bool has_experts(const Translation& t) {
    return t.config().integer("num_local_experts").value_or(0) != 0;
  }

  // Which layers are state spaces.
  static std::vector<bool> recurrent_layers(const Translation& t) {
    const auto types = t.config().texts(
        t.config().find("layer_types") != nullptr ? "layer_types" : "layers_block_type");
    const auto n = static_cast<size_t>(t.width("num_hidden_layers", kMaxLayers));
    if (types.size() != n) {
      throw Error(
          Code::invalid_argument,
          fmt::format("config.json: 'layer_types' has {} entries for {} layers", types.size(), n));
    }
    std::vector<bool> recurrent;
    for (const std::string& type : types) {
      recurrent.push_back(type == "mamba" || type == "linear_attention");
      if (recurrent.back() || type == "attention" || type == "full_attention") continue;
      throw Error(Code::unimplemented,
                  fmt::format("config.json: a layer of type '{}' is not supported yet for {}",
                              printable(type), t.config().architecture()));
    }
    return recurrent;
  }

  // Models of this class without state spaces are as those before them.
  static void choose_architecture(Translation& t, const std::vector<bool>& recurrent) {
    const bool any = std::ranges::find(recurrent, true) != recurrent.end();
    const std::string positions = t.config().text("position_embedding_type").value_or("nope");
    if (positions == "rope" && !any) {
      t.set_architecture(has_experts(t) ? "granitemoe" : "granite");
      return;
    }
    if (positions == "nope") {
      t.set_flag("rope.scaling.finetuned", false);
      return;
    }
    throw Error(Code::unimplemented,
                fmt::format("config.json: 'position_embedding_type' is '{}', which is not "
                            "supported yet beside state spaces",
                            printable(positions)));
  }

  static void state_space_fields(const StateSpace& op, int32_t n_embd, json::object& said) {
    said["mamba_n_heads"] = op.n_heads;
    said["mamba_d_head"] = op.head_dim;
    said["mamba_n_groups"] = op.n_groups;
    said["mamba_d_state"] = op.n_state;
    said["mamba_d_conv"] = op.n_taps;
    said["mamba_expand"] = op.inner() / n_embd;
    said["mamba_conv_bias"] = op.tap_bias != kNoTensor;
    said["mamba_proj_bias"] = op.in.bias != kNoTensor;
  }

  static void state_spaces(Translation& t, const std::vector<bool>& recurrent) {
    if (std::ranges::find(recurrent, true) == recurrent.end()) return;
    const auto heads = static_cast<uint64_t>(t.width("mamba_n_heads", kMaxHeads));
    const auto groups = static_cast<uint64_t>(t.width("mamba_n_groups", kMaxHeads));
    const auto n_state = static_cast<uint64_t>(t.width("mamba_d_state", kMaxHeadDim));
    const auto taps = static_cast<uint64_t>(t.width("mamba_d_conv", kMaxTaps));
    const auto inner = static_cast<uint64_t>(t.width("mamba_expand", kMaxHidden)) *
                       static_cast<uint64_t>(t.width("hidden_size", kMaxEmbedding));
    refuse_limited_steps(t);
    t.set_integer("ssm.conv_kernel", static_cast<int64_t>(taps));
    t.set_integer("ssm.state_size", static_cast<int64_t>(n_state));
    t.set_integer("ssm.group_count", static_cast<int64_t>(groups));
    t.set_integer("ssm.inner_size", static_cast<int64_t>(inner));
    t.set_integer("ssm.time_step_rank", static_cast<int64_t>(heads));
    std::vector<int32_t> kv_heads;
    const int32_t n_kv = t.n_kv_heads();
    for (size_t i = 0; i < recurrent.size(); ++i) {
      kv_heads.push_back(recurrent[i] ? 0 : n_kv);
      if (!recurrent[i]) continue;
      const auto layer = static_cast<int32_t>(i);
      const auto put = [&](std::string_view ours, std::string_view theirs,
                           const std::vector<uint64_t>& shape, const std::vector<uint64_t>& stored,
                           Change change = Change::none) {
        t.reshaped(layer_name(layer, ours), fmt::format("model.layers.{}.mamba.{}", i, theirs),
                   shape, stored, change);
      };
      const uint64_t channels = inner + 2 * groups * n_state;
      put("ssm_conv1d.weight", "conv1d.weight", {taps, channels}, {channels, 1, taps});
      put("ssm_a", "A_log", {1, heads}, {heads}, Change::minus_exp);
      put("ssm_d", "D", {1, heads}, {heads});
      put("ssm_dt.bias", "dt_bias", {heads}, {heads});
      put("ssm_norm.weight", "norm.weight", {inner / groups, groups}, {inner});
    }
    t.set_integers("attention.head_count_kv", kv_heads);
    t.tensors(kStateSpaces);
  }

  // Steps may be held within bounds, of which published models have none.
  static void refuse_limited_steps(const Translation& t) {
    const json::value* limit = t.config().find("time_step_limit");
    if (limit == nullptr) return;
    const bool from_zero = limit->is_array() && limit->get_array().size() == 2 &&
                           limit->get_array()[0].is_number() &&
                           limit->get_array()[0].to_number<double>() == 0;
    if (from_zero && !limit->get_array()[1].is_number()) return;  // to infinity, as a text says
    throw Error(Code::unimplemented,
                fmt::format("config.json: 'time_step_limit' is {}, which is not supported yet",
                            printable(to_json(*limit))));
  }

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
