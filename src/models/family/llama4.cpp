// Llama 4 (text): three of four layers see their section of the text only, with RoPE on adjacent
// pairs; the others see all, without positions, and their queries grow with the position. Experts,
// in all or in every second layer, get inputs times their weights; one more sees every token.
#include <array>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/inverse_translation.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"blk.{}.ffn_gate", "model.layers.{}.feed_forward.gate_proj"},
    TensorRule{"blk.{}.ffn_up", "model.layers.{}.feed_forward.up_proj"},
    TensorRule{"blk.{}.ffn_down", "model.layers.{}.feed_forward.down_proj"},
    TensorRule{"blk.{}.ffn_gate_inp", "model.layers.{}.feed_forward.router"},
    TensorRule{"blk.{}.ffn_gate_exps.weight", "model.layers.{}.feed_forward.experts.gate_up_proj",
               Change::transposed_first_half},
    TensorRule{"blk.{}.ffn_up_exps.weight", "model.layers.{}.feed_forward.experts.gate_up_proj",
               Change::transposed_second_half},
    TensorRule{"blk.{}.ffn_down_exps.weight", "model.layers.{}.feed_forward.experts.down_proj",
               Change::transposed},
    // Of quantised folders, which hold each expert's matrices as those of an MLP.
    TensorRule{"blk.{}.ffn_gate_exps", "model.layers.{}.feed_forward.experts.{e}.gate_proj"},
    TensorRule{"blk.{}.ffn_up_exps", "model.layers.{}.feed_forward.experts.{e}.up_proj"},
    TensorRule{"blk.{}.ffn_down_exps", "model.layers.{}.feed_forward.experts.{e}.down_proj"},
    TensorRule{"blk.{}.ffn_gate_shexp", "model.layers.{}.feed_forward.shared_expert.gate_proj"},
    TensorRule{"blk.{}.ffn_up_shexp", "model.layers.{}.feed_forward.shared_expert.up_proj"},
    TensorRule{"blk.{}.ffn_down_shexp", "model.layers.{}.feed_forward.shared_expert.down_proj"},
};

// GGUF files of other programs name none of these, but for the experts' interval.
constexpr std::string_view kSectionKey = "attention.sliding_window";
constexpr int32_t kSection = 8192;
constexpr int32_t kPeriod = 4;  // its last layer sees all
constexpr std::string_view kGrowthKey = "attention.temperature_scale";
constexpr float kGrowth = 0.1f;
constexpr std::string_view kGrowthStepKey = "attention.temperature_length";
constexpr int32_t kGrowthStep = 8192;
constexpr std::string_view kHeadNormsKey = "attention.qk_norm";
constexpr int32_t kExpertsWithoutHeadNorms = 128;
constexpr std::string_view kIntervalKey = "interleave_moe_layer_step";

constexpr std::array<std::string_view, 4> kKeys{"expert_count", "expert_used_count",
                                                "expert_weights_scale", kGrowthKey};

// transformers' Llama4TextConfig: a text_config leaves out what is as there.
json::object defaults_of_class() {
  return {{"vocab_size", 202048},
          {"hidden_size", 5120},
          {"intermediate_size", 8192},
          {"intermediate_size_mlp", 16384},
          {"num_hidden_layers", 48},
          {"num_attention_heads", 40},
          {"num_key_value_heads", 8},
          {"head_dim", 128},
          {"max_position_embeddings", 131072},
          {"rms_norm_eps", 1e-5},
          {"num_experts_per_tok", 1},
          {"num_local_experts", 16},
          {"rope_theta", 500000.0},
          {"attention_chunk_size", kSection}};
}

[[noreturn]] void refuse_field(const Translation& t, std::string_view field, std::string_view how) {
  throw Error(Code::unimplemented,
              fmt::format("config.json: '{}' {}, which is not supported yet for {}", field, how,
                          t.config().architecture()));
}

class Llama4 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"llama4"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "llama4", kKeys);
    const int32_t interval = build.count(kIntervalKey, 1, kMaxLayers);
    return build.decoder([&](int32_t i) -> Layer {
      return {{attention(build, i), feed_forward(build, i, (i + 1) % interval == 0)}};
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"Llama4ForCausalLM", "llama4", "llama4_text"},
            {"Llama4ForConditionalGeneration", "llama4"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.set_defaults(defaults_of_class());
    t.decoder_keys();
    t.expert_keys(false);
    t.copy_integer("expert_feed_forward_length", {"intermediate_size"});
    t.copy_integer("feed_forward_length", {"intermediate_size_mlp"});
    t.set_flag(kHeadNormsKey, t.config().flag("use_qk_norm").value_or(true));
    sections(t);
    growth(t);
    interval(t);
    t.tensors(kRules);
    t.tensors(decoder_rules());
  }

  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view,
                 HfFields& fields) const override {
    json::object& said = fields.said;
    json::array has_rope, types;
    bool head_norms = false;
    for (const Layer& layer : spec.layers) {
      const auto& attention = std::get<Attention>(layer.blocks[0].op);
      const bool in_section = attention.section > 0;
      has_rope.emplace_back(in_section ? 1 : 0);
      types.emplace_back(in_section ? "chunked_attention" : "full_attention");
      if (in_section) said["attention_chunk_size"] = attention.section;
      head_norms = head_norms || attention.q_norm.kind != NormKind::none;
      if (in_section) continue;
      said["attn_scale"] = shortest(attention.growth.factor);
      said["floor_scale"] = attention.growth.step;
      said["attn_temperature_tuning"] = attention.growth.factor != 0.0f;
    }
    said["no_rope_layers"] = has_rope;
    said["layer_types"] = types;
    said["use_qk_norm"] = head_norms;
    said["interleave_moe_layer_step"] =
        file.integer(fmt::format("{}.{}", spec.family, kIntervalKey)).value_or(1);
  }

 private:
  static Block attention(SpecBuilder& build, int32_t layer) {
    Attention op = build.attention(layer, RopeKind::adjacent);
    if (build.count_or(kSectionKey, kSection, 0, kMaxContext) == 0) {
      throw Error(Code::unimplemented,
                  fmt::format("{} is 0: models without sections are not supported yet",
                              build.key(kSectionKey)));
    }
    op.section = build.window(layer, kPeriod, kSection);
    if (op.section == 0) {
      op.rope = {};
      op.growth = {build.number_or(kGrowthKey, kGrowth),
                   build.count_or(kGrowthStepKey, kGrowthStep, 1, kMaxContext)};
    } else if (has_head_norms(build)) {
      // Programs norm behind RoPE, which changes no head's length: with no weights that's the same.
      op.q_norm = op.k_norm = build.plain_rms_norm();
    }
    return {build.rms_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }

  static bool has_head_norms(const SpecBuilder& build) {
    return build.file()
        .boolean(build.key(kHeadNormsKey))
        .value_or(build.count("expert_count", 1, kMaxExperts) != kExpertsWithoutHeadNorms);
  }

  static Block feed_forward(SpecBuilder& build, int32_t layer, bool has_experts) {
    Block block;
    block.pre_norm = build.rms_norm(layer_name(layer, "ffn_norm"), build.spec.n_embd);
    if (!has_experts) {
      block.op = build.mlp(layer, true, Activation::silu);
      return block;
    }
    Moe moe = build.moe(layer, {.shared = true, .shared_as_wide = true}, Activation::silu);
    moe.gating = Gating::sigmoid;
    moe.weighs_inputs = true;
    block.op = moe;
    return block;
  }

  // Layers without RoPE are those that see all.
  static void sections(Translation& t) {
    const auto width = t.config().integer("attention_chunk_size");
    if (!width || *width < 1) refuse_field(t, "attention_chunk_size", "is missing or 0");
    t.set_integer(kSectionKey, *width);
    std::vector<bool> in_sections;
    for (const int64_t has_rope : t.config().integers("no_rope_layers")) {
      in_sections.push_back(has_rope != 0);
    }
    if (in_sections.empty()) {
      const int64_t period = t.config().integer("no_rope_layer_interval").value_or(kPeriod);
      if (period < 1) refuse_field(t, "no_rope_layer_interval", "is below 1");
      for (int32_t i = 0; i < t.n_layers(); ++i) in_sections.push_back((i + 1) % period != 0);
    }
    const auto types = t.config().texts("layer_types");
    for (size_t i = 0; i < types.size(); ++i) {
      if (i < in_sections.size() &&
          types[i] == (in_sections[i] ? "chunked_attention" : "full_attention")) {
        continue;
      }
      refuse_field(t, "layer_types", "are not as 'no_rope_layers' are");
    }
    t.set_flags("attention.sliding_window_pattern", in_sections);
  }

  static void growth(Translation& t) {
    const json::value* tuned = t.config().find("attn_temperature_tuning");
    // A flag, or in the first configurations a number.
    const bool is_off =
        tuned != nullptr && (*tuned == json::value(false) || *tuned == json::value(0));
    const double factor = t.config().number("attn_scale").value_or(double{kGrowth});
    t.set_number(kGrowthKey, is_off ? 0.0 : factor);
    t.copy_integer(kGrowthStepKey, {"floor_scale"});
  }

  static void interval(Translation& t) {
    const int64_t interval = t.config().integer("interleave_moe_layer_step").value_or(1);
    t.set_integer(kIntervalKey, interval);
    if (t.config().find("moe_layers") == nullptr) return;
    std::vector<int64_t> wanted;
    for (int64_t i = interval - 1; interval > 0 && i < t.n_layers(); i += interval) {
      wanted.push_back(i);
    }
    if (t.config().integers("moe_layers") != wanted) {
      refuse_field(t, "moe_layers", "are not every 'interleave_moe_layer_step'th");
    }
  }
};

const Registered<Family> registered{std::make_unique<Llama4>()};

}  // namespace
}  // namespace strata::models
