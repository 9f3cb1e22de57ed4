// SmolLM 3: as Llama, but that every fourth layer knows no positions.
#include "core/error.h"
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr int32_t kPeriod = 4;  // files don't name it

bool has_positions(int32_t layer) {
  return layer % kPeriod != kPeriod - 1;
}

class SmolLm3 final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"smollm3"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "smollm3");
    build.refuse_unless("attention.sliding_window", 0);
    return build.decoder([&](int32_t i) -> Layer {
      Attention op = build.attention(i, RopeKind::adjacent);
      if (!has_positions(i)) op.rope = {};
      return {{{build.rms_norm(layer_name(i, "attn_norm"), build.spec.n_embd), op, {}, false},
               build.feed_forward(i, {}, Activation::silu)}};
    });
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"SmolLM3ForCausalLM", "smollm3", "smollm3"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"silu"});
    t.set_defaults({{"rope_theta", 2000000.0}});  // of the class
    t.decoder_keys();
    t.no_windows();
    check_layers(t);
    t.tensors(pair_rules());
    t.tensors(decoder_rules());
  }

 private:
  static void check_layers(Translation& t) {
    json::array wanted;
    for (int32_t i = 0; i < t.n_layers(); ++i) wanted.emplace_back(has_positions(i) ? 1 : 0);
    t.expect("no_rope_layers", wanted);
    if (!t.config().find("no_rope_layers")) t.expect("no_rope_layer_interval", kPeriod);
  }
};

const Registered<Family> registered{std::make_unique<SmolLm3>()};

}  // namespace
}  // namespace strata::models
