// GPT-NeoX, Pythia, Dolly 2: layer norms with biases, attention and MLP side by side on the same
// stream (or one after the other), RoPE on the first part of a head only, one fused QKV matrix.
#include <array>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"
#include "models/format/gguf_part.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"token_embd", "gpt_neox.embed_in"},
    TensorRule{"output", "embed_out"},
    TensorRule{"output", "lm_head"},
    TensorRule{"output_norm", "gpt_neox.final_layer_norm"},
    TensorRule{"blk.{}.attn_norm", "gpt_neox.layers.{}.input_layernorm"},
    TensorRule{"blk.{}.ffn_norm", "gpt_neox.layers.{}.post_attention_layernorm"},
    TensorRule{"blk.{}.attn_qkv", "gpt_neox.layers.{}.attention.query_key_value",
               Change::grouped_qkv},
    TensorRule{"blk.{}.attn_output", "gpt_neox.layers.{}.attention.dense"},
    TensorRule{"blk.{}.ffn_up", "gpt_neox.layers.{}.mlp.dense_h_to_4h"},
    TensorRule{"blk.{}.ffn_down", "gpt_neox.layers.{}.mlp.dense_4h_to_h"},
};

// GGUF files mostly don't name it. Pythia's is the exact GELU; the 20B model's tanh form differs
// from it by less than 0.0005.
Activation activation_of(const SpecBuilder& build) {
  const std::string key = build.key("hidden_activation");
  const auto name = build.file().text(key).value_or("gelu");
  if (name == "gelu") return Activation::gelu_erf;
  if (name == "gelu_new" || name == "gelu_fast") return Activation::gelu_tanh;
  throw Error(Code::unimplemented,
              fmt::format("{} is '{}', which is not supported yet", key, printable(name)));
}

class GptNeox final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"gptneox"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "gptneox");
    const auto parallel = file.boolean(build.key("use_parallel_residual"));
    if (!parallel) {
      throw Error(Code::invalid_argument,
                  fmt::format("metadata key '{}' is missing", build.key("use_parallel_residual")));
    }
    const Activation activation = activation_of(build);
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      Block mlp = {build.layer_norm(layer_name(i, "ffn_norm"), build.spec.n_embd),
                   build.mlp(i, false, activation),
                   {},
                   *parallel};
      build.spec.layers.push_back({{attention(build, i), mlp}});
    }
    build.spec.final_norm = build.layer_norm("output_norm", build.spec.n_embd);
    build.head();
    return std::move(build.spec);
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"GPTNeoXForCausalLM", "gptneox", "gpt_neox"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"gelu", "gelu_new", "gelu_fast"});
    t.copy_text("hidden_activation", "hidden_act");
    t.set_defaults({{"partial_rotary_factor", 0.25}});  // of the class
    t.decoder_keys();
    t.copy_flag("use_parallel_residual", "use_parallel_residual", true);
    t.ignore(".attention.bias");
    t.ignore(".attention.masked_bias");
    t.tensors(kRules);
  }

 private:
  static Block attention(SpecBuilder& build, int32_t layer) {
    const Attention op = build.attention(layer, RopeKind::halves);
    return {build.layer_norm(layer_name(layer, "attn_norm"), build.spec.n_embd), op, {}, false};
  }
};

const Registered<Family> registered{std::make_unique<GptNeox>()};

}  // namespace
}  // namespace strata::models
