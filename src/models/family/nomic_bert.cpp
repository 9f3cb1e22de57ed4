// Nomic Embed 1 and 1.5: BERT's norms behind every sum, but RoPE on halves instead of learned
// positions, and gated MLPs.
#include <algorithm>
#include <array>

#include "core/error.h"
#include "models/family/encoder_fields.h"
#include "models/family/family.h"
#include "models/family/spec_builder.h"
#include "models/family/translation.h"

namespace strata::models {
namespace {

constexpr std::array kRules{
    TensorRule{"token_embd", "embeddings.word_embeddings"},
    TensorRule{"token_types", "embeddings.token_type_embeddings"},
    TensorRule{"token_embd_norm", "emb_ln"},
    TensorRule{"blk.{}.attn_qkv", "encoder.layers.{}.attn.Wqkv"},
    TensorRule{"blk.{}.attn_output", "encoder.layers.{}.attn.out_proj"},
    TensorRule{"blk.{}.attn_output_norm", "encoder.layers.{}.norm1"},
    TensorRule{"blk.{}.ffn_up", "encoder.layers.{}.mlp.fc11"},
    TensorRule{"blk.{}.ffn_gate", "encoder.layers.{}.mlp.fc12"},
    TensorRule{"blk.{}.ffn_down", "encoder.layers.{}.mlp.fc2"},
    TensorRule{"blk.{}.layer_output_norm", "encoder.layers.{}.norm2"},
};

// Fields of the makers' own configuration that ask for another model.
constexpr std::array kOtherModels{"prenorm",
                                  "parallel_block",
                                  "use_rms_norm",
                                  "causal",
                                  "rotary_emb_interleaved",
                                  "rotary_emb_scale_base",
                                  "moe_every_n_layers"};

class NomicBert final : public Family {
 public:
  std::vector<std::string_view> architectures() const override { return {"nomic-bert"}; }

  ModelSpec describe(const ModelFile& file) const override {
    SpecBuilder build(file, "nomic-bert");
    ModelSpec& spec = build.spec;
    build.encoder();
    for (int32_t i = 0; i < build.n_layers(); ++i) {
      spec.layers.push_back(build.normed_sums(i, build.attention(i, RopeKind::halves),
                                              build.mlp(i, true, Activation::silu)));
    }
    return std::move(spec);
  }

  std::vector<HfClass> hf_classes() const override {
    return {{"NomicBertModel", "nomic-bert", "nomic_bert"}};
  }

  void translate(Translation& t) const override {
    t.expect_activation({"swiglu", "silu"});
    for (const char* field : kOtherModels) t.refuse_unless_off(field);
    t.decoder_keys();
    t.set_flag("attention.causal", false);
    trained_context(t);
    for (const char* head : {"pooler.dense.weight", "pooler.dense.bias"}) t.ignore(head);
    t.set_prefix_under_head("bert.", "embeddings.word_embeddings.weight");
    t.tensors(kRules);
  }

  // For transformers' class, and for the makers' program, whose other fields have other defaults.
  void configure(const ModelSpec& spec, const ModelFile& file, std::string_view,
                 HfFields& fields) const override {
    encoder_fields(spec, fields);
    for (const TensorInfo& tensor : file.tensors()) {
      const bool is_norm = tensor.name.find("norm") != std::string_view::npos;
      if (!tensor.name.ends_with(".bias") || is_norm) continue;
      refuse_class(fmt::format("the class has no bias for '{}'", tensor.name));
    }
    json::object& said = fields.said;
    said["hidden_act"] = "silu";
    said["activation_function"] = "swiglu";
    said["rotary_emb_fraction"] = 1.0;
    for (const char* field : kOtherModels) said[field] = false;
    said["rotary_emb_scale_base"] = nullptr;
    said["moe_every_n_layers"] = 0;
    for (const char* field : {"qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias"}) said[field] = false;
  }

 private:
  // Beyond it positions would have to be stretched as long as the text asks for.
  static void trained_context(Translation& t) {
    const auto trained = t.config().integer("max_trained_positions");
    const auto all = t.config().integer({"n_positions", "max_position_embeddings"});
    if (trained && all) t.set_integer("context_length", std::min(*trained, *all));
  }
};

const Registered<Family> registered{std::make_unique<NomicBert>()};

}  // namespace
}  // namespace strata::models
