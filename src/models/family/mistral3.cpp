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
constexpr std::string_view kWhere = "config.json: rope_parameters";

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
    return {{kGrowing, "mistral3", "ministral3"},
            {"Mistral3ForConditionalGeneration", "mistral3"},
            {"MistralForCausalLM", "mistral3", "mistral"}};  // the same where queries do not grow
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
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
    if (attention.window == 0) fields.said["sliding_window"] = nullptr;  // else classes have one
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
