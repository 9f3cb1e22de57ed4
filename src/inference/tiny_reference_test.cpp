// The float32 executor against transformers: tiny models of every family, whose weights are a
// formula (models/testing/formula_model.h) and whose logits tests/oracle/tiny_models.py wrote.
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "inference/testing/reference.h"
#include "models/format/gguf.h"
#include "models/testing/formula_model.h"

namespace strata::inference {
namespace {

using models::Attention;
using models::LatentAttention;
using models::Mlp;
using models::ModelSpec;
using models::Moe;
using Change = Reference::Change;

bool has_experts(const json::value& fixture) {
  for (const auto& [key, value] : fixture.at("metadata").as_object()) {
    if (key.ends_with(".expert_count") && value.to_number<int64_t>() > 0) return true;
  }
  return false;
}

Reference reference_of(const std::string& name) {
  const json::value fixture = read_fixture("tiny_" + name);
  const auto bytes = std::make_shared<const std::vector<std::byte>>(
      models::formula_model(fixture.as_object()).build());
  return {fixture, [bytes] { return models::parse_gguf(*bytes); }, has_experts(fixture)};
}

void for_each_attention(ModelSpec& spec, const std::function<void(Attention&)>& change) {
  for (auto& layer : spec.layers) {
    for (auto& block : layer.blocks) {
      if (auto* op = std::get_if<Attention>(&block.op)) change(*op);
    }
  }
}

void for_each_latent(ModelSpec& spec, const std::function<void(LatentAttention&)>& change) {
  for (auto& layer : spec.layers) {
    for (auto& block : layer.blocks) {
      if (auto* op = std::get_if<LatentAttention>(&block.op)) change(*op);
    }
  }
}

void for_each_mlp(ModelSpec& spec, const std::function<void(Mlp&)>& change) {
  for (auto& layer : spec.layers) {
    for (auto& block : layer.blocks) {
      if (auto* op = std::get_if<Mlp>(&block.op)) change(*op);
    }
  }
}

void for_each_moe(ModelSpec& spec, const std::function<void(Moe&)>& change) {
  for (auto& layer : spec.layers) {
    for (auto& block : layer.blocks) {
      if (auto* op = std::get_if<Moe>(&block.op)) change(*op);
    }
  }
}

// A special feature switched off or changed must be seen, else the test above proves nothing.
void expect_seen(const std::string& name, const std::string& what, const Change& change) {
  Reference reference = reference_of(name);
  EXPECT_GT(prefill(reference, change), 20 * kTolerance) << name << " without " << what;
}

void expect_attention_seen(const std::string& name, const std::string& what,
                           const std::function<void(Attention&)>& change) {
  expect_seen(name, what, [&](ModelSpec& spec) { for_each_attention(spec, change); });
}

void expect_latent_seen(const std::string& name, const std::string& what,
                        const std::function<void(LatentAttention&)>& change) {
  expect_seen(name, what, [&](ModelSpec& spec) { for_each_latent(spec, change); });
}

void expect_moe_seen(const std::string& name, const std::string& what,
                     const std::function<void(Moe&)>& change) {
  expect_seen(name, what, [&](ModelSpec& spec) { for_each_moe(spec, change); });
}

class TinyReference : public testing::TestWithParam<const char*> {};

TEST_P(TinyReference, Prefill) {
  Reference reference = reference_of(GetParam());
  ASSERT_EQ(reference.sequences().size(), 3u);
  EXPECT_LT(prefill(reference), kTolerance);
}

TEST_P(TinyReference, Decode) {
  Reference reference = reference_of(GetParam());
  EXPECT_LT(decode(reference), kTolerance);
}

TEST_P(TinyReference, UnevenBatches) {
  Reference reference = reference_of(GetParam());
  EXPECT_LT(uneven_batches(reference), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Models, TinyReference,
                         testing::Values("llama", "llama_tied_biased", "llama_linear_rope",
                                         "llama_rope_freqs", "llama_yarn", "mistral_window",
                                         "mixtral", "mixtral_split", "gemma3", "qwen2",
                                         "qwen2_untied", "qwen2moe", "qwen3", "qwen3moe", "olmo2",
                                         "olmo3", "olmo3_magnitude", "olmoe", "granite",
                                         "granitemoe", "granitehybrid", "granitehybrid_experts",
                                         "deepseek2", "deepseek2_lite", "deepseek3", "gptneox",
                                         "gptneox_sequential"),
                         [](const auto& entry) { return std::string(entry.param); });

TEST(TinyReferenceNegative, Llama) {
  expect_attention_seen("llama", "adjacent pairs",
                        [](auto& op) { op.rope.kind = models::RopeKind::halves; });
  expect_attention_seen("llama", "its rope base", [](auto& op) { op.rope.base = 10000.0f; });
  expect_attention_seen("llama", "its scale", [](auto& op) { op.scale *= 1.1f; });
  expect_attention_seen("llama_linear_rope", "scaled positions",
                        [](auto& op) { op.rope.position_scale = 1.0f; });
  expect_attention_seen("llama_yarn", "YaRN", [](auto& op) { op.rope.yarn = {}; });
  expect_attention_seen("llama_yarn", "its magnitude",
                        [](auto& op) { op.rope.yarn.magnitude = 1; });
  expect_attention_seen("llama_yarn", "the pairs that keep their frequency",
                        [](auto& op) { op.rope.yarn.beta_fast = 2; });
  expect_attention_seen("llama_yarn", "the pairs that are scaled in full",
                        [](auto& op) { op.rope.yarn.beta_slow = 0.1f; });
  expect_attention_seen("llama_rope_freqs", "frequency divisors",
                        [](auto& op) { op.rope.frequency_divisors = models::kNoTensor; });
  expect_attention_seen("mistral_window", "the window", [](auto& op) { op.window = 0; });
  expect_attention_seen("mistral_window", "the window's exact width",
                        [](auto& op) { op.window += 1; });
  expect_seen("llama_tied_biased", "the biases of the MLP", [](ModelSpec& spec) {
    for_each_mlp(spec, [](Mlp& op) { op.up.bias = models::kNoTensor; });
  });
  expect_attention_seen("llama_tied_biased", "the bias of O",
                        [](auto& op) { op.o.bias = models::kNoTensor; });
  expect_seen("llama", "its own head",
              [](ModelSpec& spec) { spec.head.weight = spec.token_embedding; });
}

TEST(TinyReferenceNegative, Mixtral) {
  expect_moe_seen("mixtral", "weights that add up to one",
                  [](Moe& op) { op.renormalized = false; });
  expect_moe_seen("mixtral", "its second expert", [](Moe& op) { op.n_used = 1; });
  expect_moe_seen("mixtral", "the order of its experts",
                  [](Moe& op) { std::swap(op.experts[0], op.experts[4]); });
  expect_moe_seen("mixtral_split", "the scale of the weights", [](Moe& op) { op.scale = 1; });
}

TEST(TinyReferenceNegative, Gemma3) {
  expect_seen("gemma3", "embedding scale", [](ModelSpec& spec) { spec.embedding_scale = 1; });
  expect_attention_seen("gemma3", "the window", [](auto& op) { op.window = 0; });
  expect_attention_seen("gemma3", "the window's own rope base", [](auto& op) {
    if (op.window > 0) op.rope.base = 1000000.0f;
  });
  expect_attention_seen("gemma3", "the global layers' scaled positions",
                        [](auto& op) { op.rope.position_scale = 1.0f; });
  expect_attention_seen("gemma3", "the norm of Q", [](auto& op) { op.q_norm = {}; });
  expect_attention_seen("gemma3", "the norm of K", [](auto& op) { op.k_norm = {}; });
  expect_seen("gemma3", "post norms", [](ModelSpec& spec) {
    for (auto& layer : spec.layers) layer.blocks[0].post_norm = {};
  });
  expect_seen("gemma3", "gelu", [](ModelSpec& spec) {
    for_each_mlp(spec, [](Mlp& op) { op.activation = models::Activation::silu; });
  });
}

TEST(TinyReferenceNegative, Qwen2) {
  for (const char* name : {"qwen2", "qwen2_untied"}) {
    expect_attention_seen(name, "the bias of Q", [](auto& op) { op.q.bias = models::kNoTensor; });
    expect_attention_seen(name, "the bias of V", [](auto& op) { op.v.bias = models::kNoTensor; });
    expect_attention_seen(name, "rope on halves",
                          [](auto& op) { op.rope.kind = models::RopeKind::adjacent; });
  }
}

TEST(TinyReferenceNegative, QwenWithExperts) {
  expect_moe_seen("qwen2moe", "the shared expert", [](Moe& op) { op.shared.reset(); });
  expect_moe_seen("qwen2moe", "the shared expert's gate",
                  [](Moe& op) { op.shared_gate = models::kNoTensor; });
  expect_moe_seen("qwen2moe", "weights that are shares of all",
                  [](Moe& op) { op.renormalized = true; });
  expect_moe_seen("qwen3moe", "weights that add up to one",
                  [](Moe& op) { op.renormalized = false; });
  expect_moe_seen("qwen3moe", "its third expert", [](Moe& op) { op.n_used = 2; });
}

TEST(TinyReferenceNegative, Qwen3) {
  for (const char* name : {"qwen3", "qwen3moe"}) {
    expect_attention_seen(name, "the norm of Q", [](auto& op) { op.q_norm = {}; });
    expect_attention_seen(name, "the norm of K", [](auto& op) { op.k_norm = {}; });
    expect_attention_seen(name, "rope on halves",
                          [](auto& op) { op.rope.kind = models::RopeKind::adjacent; });
  }
}

// The first head's weights for each head.
void norm_heads_alone(ModelSpec& spec) {
  for_each_attention(spec, [&](Attention& op) {
    op.head_norms = models::HeadNorms::shared;
    for (models::Norm* norm : {&op.q_norm, &op.k_norm}) {
      models::TensorSlot slot = spec.tensors[static_cast<size_t>(norm->weight)];
      slot.stored_cols = slot.cols;
      slot.cols = static_cast<uint64_t>(op.head_dim);
      norm->weight = static_cast<models::TensorId>(spec.tensors.size());
      spec.tensors.push_back(slot);
    }
  });
}

TEST(TinyReferenceNegative, Olmo) {
  for (const char* name : {"olmo2", "olmo3", "olmoe"}) {
    expect_attention_seen(name, "the norm of Q", [](auto& op) { op.q_norm = {}; });
    expect_attention_seen(name, "the norm of K", [](auto& op) { op.k_norm = {}; });
    expect_seen(name, "norms over all heads together", norm_heads_alone);
  }
  for (const size_t block : {0, 1}) {
    expect_seen("olmo2", "post norms", [block](ModelSpec& spec) {
      for (auto& layer : spec.layers) layer.blocks[block].post_norm = {};
    });
    expect_seen("olmo2", "an input that is not normed", [block](ModelSpec& spec) {
      for (auto& layer : spec.layers) {
        layer.blocks[block].pre_norm = {models::NormKind::rms, 1e-6f, models::kNoTensor,
                                        models::kNoTensor};
      }
    });
  }
  expect_attention_seen("olmo3", "the window", [](auto& op) { op.window = 0; });
  expect_attention_seen("olmo3", "positions that are scaled without a window only", [](auto& op) {
    if (op.window > 0) op.rope.position_scale = 0.25f;
  });
  expect_attention_seen("olmo3", "YaRN", [](auto& op) { op.rope.yarn = {}; });
  expect_attention_seen("olmo3_magnitude", "YaRN's factor on keys and queries", [](auto& op) {
    if (op.window == 0) op.rope.yarn.magnitude = 1 + 0.1f * std::log(4.0f);
  });
  expect_moe_seen("olmoe", "weights that are shares of all",
                  [](Moe& op) { op.renormalized = true; });
}

TEST(TinyReferenceNegative, Granite) {
  for (const char* name : {"granite", "granitemoe"}) {
    expect_seen(name, "its embedding scale", [](ModelSpec& spec) { spec.embedding_scale = 1; });
    expect_seen(name, "its logit scale", [](ModelSpec& spec) { spec.logit_scale = 1; });
    expect_seen(name, "its residual scale", [](ModelSpec& spec) {
      for (auto& layer : spec.layers) layer.blocks[1].scale = 1;
    });
    expect_attention_seen(name, "its attention scale",
                          [](auto& op) { op.scale = 1 / std::sqrt(10.0f); });
  }
  expect_moe_seen("granitemoe", "the shared expert", [](Moe& op) { op.shared.reset(); });
}

TEST(TinyReferenceNegative, StateSpaces) {
  for (const char* name : {"granitehybrid", "granitehybrid_experts"}) {
    const auto expect = [&](const std::string& what,
                            const std::function<void(models::StateSpace&)>& change) {
      expect_seen(name, what, [&](ModelSpec& spec) {
        for (auto& layer : spec.layers) {
          for (auto& block : layer.blocks) {
            if (auto* op = std::get_if<models::StateSpace>(&block.op)) change(*op);
          }
        }
      });
    };
    expect("the bias of the convolution", [](auto& op) { op.tap_bias = models::kNoTensor; });
    expect("its own d", [](auto& op) { op.d = op.a; });
    expect("its own rates", [](auto& op) { op.a = op.d; });
    expect("the weights of its norm", [](auto& op) { op.norm.weight = models::kNoTensor; });
    expect("its norm", [](auto& op) { op.norm.kind = models::NormKind::none; });
    expect_attention_seen(name, "attention without positions", [](auto& op) {
      op.rope.kind = models::RopeKind::adjacent;
      op.rope.n_dims = op.head_dim;
    });
    expect_seen(name, "its residual scale", [](ModelSpec& spec) {
      for (auto& layer : spec.layers) layer.blocks[0].scale = 1;
    });
  }
}

TEST(TinyReferenceNegative, LatentAttention) {
  for (const char* name : {"deepseek2", "deepseek2_lite", "deepseek3"}) {
    expect_latent_seen(name, "the norm of latent vectors", [](auto& op) { op.kv_norm = {}; });
    expect_latent_seen(name, "adjacent pairs",
                       [](auto& op) { op.rope.kind = models::RopeKind::halves; });
    expect_latent_seen(name, "its scale", [](auto& op) { op.scale *= 1.1f; });
    expect_latent_seen(name, "the order of its heads' keys",
                       [](auto& op) { std::swap(op.k_b[0], op.k_b[1]); });
    expect_latent_seen(name, "the order of its heads' values",
                       [](auto& op) { std::swap(op.v_b[0], op.v_b[2]); });
  }
  for (const char* name : {"deepseek2", "deepseek3"}) {
    expect_latent_seen(name, "the norm of narrow queries", [](auto& op) { op.q_a_norm = {}; });
  }
  for (const char* name : {"deepseek2_lite", "deepseek3"}) {
    expect_latent_seen(name, "YaRN", [](auto& op) { op.rope.yarn = {}; });
    expect_latent_seen(name, "YaRN's magnitude in scores alone",
                       [](auto& op) { op.rope.yarn.magnitude = 1 + 0.1f * std::log(4.0f); });
    expect_latent_seen(name, "YaRN's magnitude in scores", [](auto& op) {
      op.scale = 1 / std::sqrt(static_cast<float>(op.plain_dim + op.rope.n_dims));
    });
  }
}

TEST(TinyReferenceNegative, ExpertsOfDeepSeek) {
  for (const char* name : {"deepseek2", "deepseek2_lite", "deepseek3"}) {
    expect_moe_seen(name, "the shared experts", [](Moe& op) { op.shared.reset(); });
  }
  for (const char* name : {"deepseek2", "deepseek3"}) {
    expect_moe_seen(name, "the scale of the weights", [](Moe& op) { op.scale = 1; });
    expect_moe_seen(name, "groups", [](Moe& op) { op.n_groups_used = op.n_groups; });
    expect_moe_seen(name, "groups of its size",
                    [](Moe& op) { op.n_groups = op.n_groups_used = 2, op.n_groups_used = 1; });
  }
  expect_moe_seen("deepseek2", "groups ranked by their best", [](Moe& op) { op.group_best = 2; });
  expect_moe_seen("deepseek2", "weights that are shares of all",
                  [](Moe& op) { op.renormalized = true; });
  expect_moe_seen("deepseek3", "groups ranked by their two best",
                  [](Moe& op) { op.group_best = 1; });
  expect_moe_seen("deepseek3", "sigmoids", [](Moe& op) { op.gating = models::Gating::softmax; });
  expect_moe_seen("deepseek3", "weights that add up to one",
                  [](Moe& op) { op.renormalized = false; });
  expect_moe_seen("deepseek3", "the bias of the choice",
                  [](Moe& op) { op.choice_bias = models::kNoTensor; });
}

TEST(TinyReferenceNegative, GptNeox) {
  expect_seen("gptneox", "the parallel residual", [](ModelSpec& spec) {
    for (auto& layer : spec.layers) layer.blocks[1].parallel_to_previous = false;
  });
  expect_seen("gptneox_sequential", "one block after the other", [](ModelSpec& spec) {
    for (auto& layer : spec.layers) layer.blocks[1].parallel_to_previous = true;
  });
  expect_attention_seen("gptneox", "partial rope", [](auto& op) { op.rope.n_dims = 12; });
  expect_attention_seen("gptneox", "the bias of Q",
                        [](auto& op) { op.q.bias = models::kNoTensor; });
  expect_seen("gptneox", "the layer norm's mean", [](ModelSpec& spec) {
    for (auto& layer : spec.layers) layer.blocks[0].pre_norm.kind = models::NormKind::rms;
  });
  expect_seen("gptneox", "the final norm's bias",
              [](ModelSpec& spec) { spec.final_norm.bias = models::kNoTensor; });
}

}  // namespace
}  // namespace strata::inference
