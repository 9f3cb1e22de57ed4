// Ministral 3 and Mistral Small 3.1 (text): as Llama; of Ministral 3 YaRN that leaves keys and
// queries their size, and queries that grow with their position.
#include <array>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/inverse_translation.h"
#include "models/family/limits.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr std::string_view kGrowth = "attention.temperature_scale";
constexpr std::string_view kMagnitude = "rope.scaling.yarn_log_multiplier";
constexpr std::array kKeys{kGrowth, kMagnitude};
constexpr std::string_view kGrowingType = "ministral3";
constexpr std::string_view kWhere = "config.json: rope_parameters";

// transformers' MistralConfig and Ministral3Config: a text_config leaves out what is as there.
json::object defaults_of(std::string_view model_type) {
  if (model_type != kGrowingType) {
    return {{"vocab_size", 32000},        {"hidden_size", 4096},
            {"intermediate_size", 14336}, {"num_hidden_layers", 32},
            {"num_attention_heads", 32},  {"num_key_value_heads", 8},
            {"rms_norm_eps", 1e-6},       {"max_position_embeddings", 131072},
            {"sliding_window", 4096}};
  }
  return {{"vocab_size", 131072},
          {"hidden_size", 4096},
          {"intermediate_size", 14336},
          {"num_hidden_layers", 34},
          {"num_attention_heads", 32},
          {"num_key_value_heads", 8},
          {"head_dim", 128},
          {"rms_norm_eps", 1e-5},
          {"max_position_embeddings", 262144},
          {"rope_parameters",
           {{"rope_type", "yarn"},
            {"rope_theta", 1000000.0},
            {"factor", 16.0},
            {"original_max_position_embeddings", 16384},
            {"beta_fast", 32.0},
            {"beta_slow", 1.0},
            {"mscale", 1.0},
            {"mscale_all_dim", 1.0},
            {"llama_4_scaling_beta", 0.1}}}};
}

class Mistral3 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"mistral3"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "mistral3", kKeys);
    return build.decoder([&](int32_t i) -> Layer {
      Attention op = build.attention(i, RopeKind::adjacent);
      op.window = build.window(i, 0);
      if (const float factor = build.number_or(kGrowth, 0.0f); factor != 0.0f) {
        op.growth = {factor, build.count("rope.scaling.original_context_length", 1, kMaxContext),
                     0};
      }
      return {{{build.rms_norm(layer_name(i, "attn_norm"), build.spec.n_embd), op, {}, false},
               {build.rms_norm(layer_name(i, "ffn_norm"), build.spec.n_embd),
                build.mlp(i, true, Activation::silu),
                {},
                false}}};
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{kGrowing, "mistral3", kGrowingType},
            {"Mistral3ForConditionalGeneration", "mistral3"},
            {"MistralForCausalLM", "mistral3", "mistral"}};  // the same where queries do not grow
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.set_defaults(defaults_of(t.config().text("model_type").value_or("")));
    t.magnitude_in_scores();
    t.decoder_keys();
    t.same_windows();
    if (const json::object* rope = t.config().object("rope_parameters")) positions(t, *rope);
    t.tensors(pair_rules());
    t.tensors(decoder_rules());
  }

  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view hf_class,
                 HfFields& fields) const override {
    const auto& attention = std::get<Attention>(spec.layers[0].blocks[0].op);
    const bool grows = attention.growth.step > 0;
    if (hf_class != kGrowing) return;
    if (!grows) throw Error(Code::unimplemented, "its queries grow with their position");
    const double magnitude =
        file.number(fmt::format("{}.{}", spec.family, kMagnitude)).value_or(0.0);
    fields.said["rope_parameters"] =
        json::object{{"mscale", shortest(static_cast<float>(magnitude))},
                     {"mscale_all_dim", shortest(static_cast<float>(magnitude))},
                     {"llama_4_scaling_beta", shortest(attention.growth.factor)}};
  }

 private:
  static constexpr std::string_view kGrowing = "Ministral3ForCausalLM";

  // Keys and queries keep their size where both magnitudes are the same, as all published have it.
  static void positions(Translation& t, const json::object& rope) {
    const double of_positions = number_in(rope, "mscale", kWhere).value_or(0);
    const double of_scores = number_in(rope, "mscale_all_dim", kWhere).value_or(0);
    if (of_positions != of_scores) {
      throw Error(Code::unimplemented,
                  fmt::format("{}: 'mscale' {} and 'mscale_all_dim' {} differ, "
                              "which is not supported yet",
                              kWhere, of_positions, of_scores));
    }
    if (of_scores != 0) t.set_number(kMagnitude, of_scores);
    if (const auto factor = number_in(rope, "llama_4_scaling_beta", kWhere)) {
      t.set_number(kGrowth, *factor);
    }
  }
};

const Registered<Family> registered{std::make_unique<Mistral3>()};

}  // namespace
}  // namespace strata::models
