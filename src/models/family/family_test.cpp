#include "models/family/family.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "models/family/weights.h"
#include "models/format/gguf.h"
#include "models/testing/broken_files.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

const Attention& attention(const ModelSpec& spec, size_t layer) {
  return std::get<Attention>(spec.layers[layer].blocks[0].op);
}
const Mlp& mlp(const ModelSpec& spec, size_t layer) {
  return std::get<Mlp>(spec.layers[layer].blocks[1].op);
}

TEST(Family, Llama) {
  const ModelSpec spec = describe(fixture("llama"));
  EXPECT_EQ(spec.family, "llama");
  EXPECT_EQ(spec.n_vocab, 91);
  EXPECT_EQ(spec.layers.size(), 2u);
  EXPECT_NE(spec.head.weight, spec.token_embedding);
  EXPECT_EQ(attention(spec, 0).n_kv_heads, 1);
  EXPECT_EQ(attention(spec, 0).rope.kind, RopeKind::adjacent);
  EXPECT_EQ(attention(spec, 0).rope.base, 5000.0f);
  EXPECT_FLOAT_EQ(attention(spec, 0).scale, 1 / std::sqrt(10.0f));
  EXPECT_EQ(mlp(spec, 0).activation, Activation::silu);
  EXPECT_EQ(spec.embedding_scale, 1.0f);
}

TEST(Family, LlamaVariants) {
  const ModelSpec tied = describe(fixture("llama_tied_biased"));
  EXPECT_EQ(tied.head.weight, tied.token_embedding);
  EXPECT_NE(attention(tied, 1).o.bias, kNoTensor);
  EXPECT_NE(mlp(tied, 1).gate.bias, kNoTensor);
  EXPECT_FLOAT_EQ(attention(describe(fixture("llama_linear_rope")), 0).rope.position_scale,
                  1.0f / 3.0f);
  const Rope yarn = attention(describe(fixture("llama_yarn")), 0).rope;
  EXPECT_EQ(yarn.position_scale, 0.25f);
  EXPECT_EQ(yarn.yarn.first_context, 256);
  EXPECT_FLOAT_EQ(yarn.yarn.magnitude, 1 + 0.1f * std::log(4.0f));
  const ModelSpec divided = describe(fixture("llama_rope_freqs"));
  EXPECT_NE(attention(divided, 0).rope.frequency_divisors, kNoTensor);
  EXPECT_EQ(attention(divided, 0).head_dim, 12);  // not 30 / 3
  EXPECT_EQ(attention(describe(fixture("mistral_window")), 1).window, 4);
}

TEST(Family, Olmo) {
  const ModelSpec two = describe(fixture("olmo2"));
  EXPECT_EQ(two.layers[0].blocks[0].pre_norm.kind, NormKind::none);
  EXPECT_EQ(two.layers[0].blocks[1].post_norm.kind, NormKind::rms);
  EXPECT_EQ(attention(two, 0).head_norms, HeadNorms::joined);
  const ModelSpec three = describe(fixture("olmo3"));
  EXPECT_EQ(attention(three, 0).window, 4);
  EXPECT_EQ(attention(three, 0).rope.yarn.first_context, 0);
  EXPECT_EQ(attention(three, 3).window, 0);
  EXPECT_EQ(attention(three, 3).rope.yarn.first_context, 256);
  EXPECT_EQ(std::get<Moe>(describe(fixture("olmoe")).layers[0].blocks[1].op).n_used, 4);
}

TEST(Family, Granite) {
  const ModelSpec spec = describe(fixture("granitemoe"));
  EXPECT_EQ(spec.embedding_scale, 6.0f);
  EXPECT_FLOAT_EQ(spec.logit_scale, 1 / 3.0f);
  EXPECT_EQ(attention(spec, 0).scale, 0.2f);
  EXPECT_EQ(spec.layers[0].blocks[0].scale, 0.3f);
  EXPECT_EQ(spec.layers[0].blocks[1].scale, 0.3f);
  const auto& op = std::get<Moe>(spec.layers[0].blocks[1].op);
  ASSERT_TRUE(op.shared);
  EXPECT_EQ(op.shared_gate, kNoTensor);
}

TEST(Family, GranitesFactorsOfZeroAreNotSet) {
  GgufBuilder builder = fixture("granite");
  builder.set_f32("granite.embedding_scale", 0);
  builder.set_f32("granite.residual_scale", 0);
  const ModelSpec spec = describe(builder);
  EXPECT_EQ(spec.embedding_scale, 1.0f);
  EXPECT_EQ(spec.layers[1].blocks[1].scale, 1.0f);
}

TEST(Family, YarnsFactorOnKeysAndQueries) {
  const auto magnitude = [](const char* suffix, float value) {
    GgufBuilder builder = fixture("olmo3");
    builder.set_f32("olmo2.rope.scaling.factor", 8);
    builder.set_f32(std::string("olmo2.rope.scaling.") + suffix, value);
    return attention(describe(builder), 3).rope.yarn.magnitude;
  };
  const float own = 1 + 0.1f * std::log(8.0f);
  EXPECT_FLOAT_EQ(magnitude("yarn_attn_factor", 1.2079441541679836f), own);
  EXPECT_FLOAT_EQ(magnitude("yarn_attn_factor", 1.5f), 1.5f);
  EXPECT_FLOAT_EQ(magnitude("yarn_attn_factor", 1), own);
  EXPECT_FLOAT_EQ(magnitude("attn_factor", 1.2079441541679836f), own);
  EXPECT_FLOAT_EQ(magnitude("attn_factor", 1), own);
  EXPECT_FLOAT_EQ(magnitude("attn_factor", 0.75f), 0.75f * own);
}

TEST(Family, Gemma3) {
  const ModelSpec spec = describe(fixture("gemma3"));
  EXPECT_FLOAT_EQ(spec.embedding_scale, std::sqrt(30.0f));
  for (size_t i = 0; i < 7; ++i) {
    const Attention& op = attention(spec, i);
    const bool global = i == 5;
    EXPECT_EQ(op.window, global ? 0 : 5) << i;
    EXPECT_EQ(op.rope.base, global ? 1e6f : 1e4f) << i;
    EXPECT_EQ(op.rope.position_scale, global ? 0.25f : 1.0f) << i;
    EXPECT_EQ(op.q_norm.kind, NormKind::rms);
    EXPECT_EQ(spec.layers[i].blocks[0].post_norm.kind, NormKind::rms);
    EXPECT_EQ(spec.layers[i].blocks[1].post_norm.kind, NormKind::rms);
  }
  EXPECT_EQ(mlp(spec, 0).activation, Activation::gelu_tanh);
}

TEST(Family, Gemma3WindowPatternOfTheFile) {
  GgufBuilder builder = fixture("gemma3");
  builder.set_u32("gemma3.attention.sliding_window_pattern", 3);
  EXPECT_EQ(attention(describe(builder), 2).window, 0);
  EXPECT_EQ(attention(describe(builder), 5).window, 0);
  EXPECT_EQ(attention(describe(builder), 6).window, 5);
  builder.set_bools("gemma3.attention.sliding_window_pattern",
                    {false, true, true, true, true, true, false});
  EXPECT_EQ(attention(describe(builder), 0).window, 0);
  EXPECT_EQ(attention(describe(builder), 5).window, 5);
  builder.set_bools("gemma3.attention.sliding_window_pattern", {true});
  EXPECT_THAT(describe_error(builder), HasSubstr("not one flag for each of 7 layers"));
  builder.remove("gemma3.attention.sliding_window_pattern");
  builder.set_f32("gemma3.rope.freq_base_swa", 500.0f);
  EXPECT_EQ(attention(describe(builder), 0).rope.base, 500.0f);
}

TEST(Family, Qwen2) {
  const ModelSpec spec = describe(fixture("qwen2"));
  EXPECT_EQ(attention(spec, 0).rope.kind, RopeKind::halves);
  EXPECT_NE(attention(spec, 0).q.bias, kNoTensor);
  EXPECT_EQ(attention(spec, 0).o.bias, kNoTensor);
}

TEST(Family, GptNeox) {
  const ModelSpec spec = describe(fixture("gptneox"));
  EXPECT_TRUE(spec.layers[0].blocks[1].parallel_to_previous);
  EXPECT_FALSE(spec.layers[0].blocks[0].parallel_to_previous);
  EXPECT_EQ(attention(spec, 0).rope.n_dims, 4);
  EXPECT_EQ(attention(spec, 0).head_dim, 12);
  EXPECT_EQ(spec.final_norm.kind, NormKind::layer);
  EXPECT_NE(spec.final_norm.bias, kNoTensor);
  EXPECT_EQ(mlp(spec, 0).gate.weight, kNoTensor);
  EXPECT_FALSE(describe(fixture("gptneox_sequential")).layers[0].blocks[1].parallel_to_previous);
}

TEST(Family, GptNeoxsActivationIsTheOneThatTheFileNames) {
  EXPECT_EQ(mlp(describe(fixture("gptneox")), 1).activation, Activation::gelu_erf);
  const auto named = [](std::string_view name) {
    GgufBuilder builder = fixture("gptneox");
    builder.set_text("gptneox.hidden_activation", name);
    return mlp(describe(builder), 1).activation;
  };
  EXPECT_EQ(named("gelu"), Activation::gelu_erf);
  EXPECT_EQ(named("gelu_new"), Activation::gelu_tanh);
  EXPECT_EQ(named("gelu_fast"), Activation::gelu_tanh);
  EXPECT_THROW(named("relu"), Error);
}

TEST(Family, FusedSlicesAreTheirRowsOfTheStoredTensor) {
  const auto bytes = fixture("gptneox").build();
  const auto file = parse_gguf(bytes);
  const ModelSpec spec = describe_model(*file);
  const auto weights = formula_weights("blk.1.attn_qkv.weight", 36, 108);
  const auto biases = formula_weights("blk.1.attn_qkv.bias", 108, 1);
  const auto part = [&](TensorId id) {
    return dequantize(find_weight(*file, spec.tensors[static_cast<size_t>(id)]));
  };
  using Floats = std::vector<float>;
  const Attention& op = attention(spec, 1);
  EXPECT_EQ(part(op.k.weight), Floats(weights.begin() + 36 * 36, weights.begin() + 72 * 36));
  EXPECT_EQ(part(op.v.bias), Floats(biases.begin() + 72, biases.end()));
}

TEST(Family, FormulaHasItsKnownValues) {
  // The twin in tests/oracle/formula.py prints the same.
  const auto weights = formula_weights("token_embd.weight", 3, 2);
  const std::vector<float> expected{0.200195312f,  0.58203125f, -0.427734375f,
                                    0.0830078125f, 0.94140625f, -0.2578125f};
  EXPECT_EQ(weights, expected);
}

void expect_refused(const std::vector<Broken>& cases) {
  for (const Broken& entry : cases) {
    GgufBuilder builder = tiny_llama();
    entry.breaks(builder);
    EXPECT_THAT(describe_error(builder), HasSubstr(entry.message)) << entry.name;
  }
}

TEST(FamilyHostile, TheTinyModelItselfIsRight) {
  EXPECT_EQ(describe_error(tiny_llama()), "");
}

TEST(FamilyHostile, HyperParameters) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<Broken> cases{
      {"no architecture", [](auto& b) { b.remove("general.architecture"); },
       "'general.architecture' is missing"},
      {"architecture of another type", [](auto& b) { b.set_u32("general.architecture", 3); },
       "has type u32, not string"},
      {"unknown architecture", [](auto& b) { b.set_text("general.architecture", "mamba"); },
       "architecture 'mamba'"},
      {"0 layers", [](auto& b) { b.set_u32("llama.block_count", 0); }, "block_count is 0"},
      {"513 layers", [](auto& b) { b.set_u32("llama.block_count", 513); }, "block_count is 513"},
      {"-1 layers", [](auto& b) { b.set_i32("llama.block_count", -1); }, "block_count is -1"},
      {"2^64-1 layers", [](auto& b) { b.set_u64("llama.block_count", ~0ull); }, "too large"},
      {"layers of type f32", [](auto& b) { b.set_f32("llama.block_count", 2); },
       "has type f32, not an integer"},
      {"no layer count", [](auto& b) { b.remove("llama.block_count"); }, "is missing"},
      {"one layer too many", [](auto& b) { b.set_u32("llama.block_count", 3); },
       "'blk.2.attn_q.weight' is missing"},
      {"one layer too few", [](auto& b) { b.set_u32("llama.block_count", 1); }, "does not use"},
      {"context 0", [](auto& b) { b.set_u32("llama.context_length", 0); }, "context_length is 0"},
      {"embedding 0", [](auto& b) { b.set_u32("llama.embedding_length", 0); },
       "embedding_length is 0"},
      {"embedding of another width", [](auto& b) { b.set_u32("llama.embedding_length", 64); },
       "expected 64 x"},
      {"0 heads", [](auto& b) { b.set_u32("llama.attention.head_count", 0); }, "head_count is 0"},
      {"0 key-value heads", [](auto& b) { b.set_u32("llama.attention.head_count_kv", 0); },
       "head_count_kv is 0"},
      {"3 heads of 32", [](auto& b) { b.set_u32("llama.attention.head_count", 3); }, "evenly"},
      {"heads that don't divide the width",
       [](auto& b) {
         b.set_u32("llama.attention.head_count", 6);
         b.set_u32("llama.attention.head_count_kv", 3);
       },
       "does not divide"},
      {"keys wider than values",
       [](auto& b) {
         b.set_u32("llama.attention.key_length", 8);
         b.set_u32("llama.attention.value_length", 16);
       },
       "keys of 8 and values of 16"},
      {"RoPE wider than the head", [](auto& b) { b.set_u32("llama.rope.dimension_count", 10); },
       "dimension_count is 10"},
      {"odd RoPE", [](auto& b) { b.set_u32("llama.rope.dimension_count", 7); },
       "dimension_count is 7"},
      {"RoPE base 0", [](auto& b) { b.set_f32("llama.rope.freq_base", 0); }, "freq_base is 0"},
      {"RoPE base NaN", [=](auto& b) { b.set_f32("llama.rope.freq_base", nan); }, "finite"},
      {"epsilon infinite",
       [=](auto& b) { b.set_f32("llama.attention.layer_norm_rms_epsilon", infinity); }, "finite"},
      {"epsilon 0", [](auto& b) { b.set_f32("llama.attention.layer_norm_rms_epsilon", 0); },
       "not between 0 and 1"},
      {"head counts for fewer layers",
       [](auto& b) { b.set_i32s("llama.attention.head_count_kv", {2}); }, "1 entries for 2"},
      {"hidden width 0", [](auto& b) { b.set_u32("llama.feed_forward_length", 0); },
       "feed_forward_length is 0"},
      {"longrope", [](auto& b) { b.set_text("llama.rope.scaling.type", "longrope"); },
       "'longrope'"},
      {"YaRN's betas crossed",
       [](auto& b) {
         b.set_text("llama.rope.scaling.type", "yarn");
         b.set_f32("llama.rope.scaling.factor", 4);
         b.set_f32("llama.rope.scaling.yarn_beta_fast", 0.5f);
       },
       "yarn_beta_fast is 0.5"},
      {"YaRN's first context 0",
       [](auto& b) {
         b.set_text("llama.rope.scaling.type", "yarn");
         b.set_f32("llama.rope.scaling.factor", 4);
         b.set_u32("llama.rope.scaling.original_context_length", 0);
       },
       "original_context_length is 0"},
      {"negative scaling", [](auto& b) { b.set_f32("llama.rope.scaling.factor", -2); },
       "scaling.factor is -2"},
      {"negative window", [](auto& b) { b.set_i32("llama.attention.sliding_window", -1); },
       "sliding_window is -1"},
  };
  expect_refused(cases);
}

TEST(FamilyHostile, Tensors) {
  const std::vector<Broken> cases{
      {"no embedding",
       [](auto& b) {
         std::erase_if(b.tensors, [](auto& t) { return t.name == "token_embd.weight"; });
       },
       "'token_embd.weight' is missing"},
      {"no norm",
       [](auto& b) {
         std::erase_if(b.tensors, [](auto& t) { return t.name == "blk.1.ffn_norm.weight"; });
       },
       "'blk.1.ffn_norm.weight' is missing"},
      {"fewer rows than the vocabulary",
       [](auto& b) { replace_shape(b, "token_embd.weight", 32, 47); },
       "tokenizer.ggml.tokens has 48"},
      {"vocab_size of another model", [](auto& b) { b.set_u32("llama.vocab_size", 50); },
       "llama.vocab_size has 50"},
      {"head of another vocabulary",
       [](auto& b) { add_formula_tensor(b, "output.weight", 32, 47); }, "expected 32 x 48"},
      {"transposed", [](auto& b) { replace_shape(b, "blk.0.ffn_up.weight", 48, 32); },
       "has shape 48 x 32"},
      {"three dimensions",
       [](auto& b) { b.find_tensor("blk.0.attn_q.weight")->shape = {32, 16, 2}; },
       "has shape 32 x 16 x 2"},
      {"norm too short", [](auto& b) { replace_shape(b, "output_norm.weight", 31, 1); },
       "has shape 31"},
      {"a tensor nobody reads",
       [](auto& b) { add_formula_tensor(b, "blk.0.attn_sinks.weight", 4, 1); },
       "'blk.0.attn_sinks.weight', which the llama architecture does not use"},
      {"divisors too few", [](auto& b) { add_formula_tensor(b, "rope_freqs.weight", 3, 1); },
       "'rope_freqs.weight' has shape 3"},
      {"divisor 0", [](auto& b) { b.add_f32("rope_freqs.weight", {4}, {1, 0, 1, 1}); },
       "holds 0, not a positive number"},
      {"divisor NaN",
       [](auto& b) { b.add_f32("rope_freqs.weight", {4}, {1, std::nanf(""), 1, 1}); },
       "not a positive number"},
  };
  expect_refused(cases);
}

TEST(FamilyHostile, YarnsFactorOnKeysAndQueries) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto set = [](const char* suffix, float value) {
    return [=](GgufBuilder& b) { b.set_f32(std::string("olmo2.rope.scaling.") + suffix, value); };
  };
  const auto set_linear = [](const char* suffix) {
    return [=](GgufBuilder& b) {
      b.set_text("olmo2.rope.scaling.type", "linear");
      b.set_f32(std::string("olmo2.rope.scaling.") + suffix, 1.2f);
    };
  };
  expect_fixture_refused(
      "olmo3", {{"0", set("yarn_attn_factor", 0), "olmo2.rope.scaling.yarn_attn_factor is 0"},
                {"negative", set("yarn_attn_factor", -1), "yarn_attn_factor is -1"},
                {"NaN", set("yarn_attn_factor", nan), "yarn_attn_factor is nan"},
                {"of the other key, 0", set("attn_factor", 0), "scaling.attn_factor is 0"},
                {"NaN in the other key", set("attn_factor", nan), "attn_factor is nan"},
                {"both",
                 [](auto& b) {
                   b.set_f32("olmo2.rope.scaling.attn_factor", 1.1f);
                   b.set_f32("olmo2.rope.scaling.yarn_attn_factor", 1.2f);
                 },
                 "olmo2.rope.scaling.attn_factor = 1.1"},
                {"without YaRN", set_linear("yarn_attn_factor"), "scaling.yarn_attn_factor = 1.2"},
                {"the other key too", set_linear("attn_factor"), "scaling.attn_factor = 1.2"},
                {"of a stretch that is not set",
                 [](auto& b) {
                   b.set_f32("olmo2.rope.scaling.factor", 0);
                   b.set_f32("olmo2.rope.scaling.yarn_attn_factor", 1.2f);
                 },
                 "scaling.yarn_attn_factor = 1.2"}});
}

TEST(FamilyHostile, LogitsOverAlmostNothing) {
  expect_fixture_refused("granite", {{"the inverse is infinite",
                                      [](auto& b) { b.set_f32("granite.logit_scale", 1e-40f); },
                                      "granite.logit_scale is 1e-40"}});
}

TEST(FamilyHostile, NormsOfQAndK) {
  expect_fixture_refused(
      "qwen3",
      {{"none", [](auto& b) { erase_tensor(b, "blk.1.attn_q_norm.weight"); },
        "'blk.1.attn_q_norm.weight' is missing"},
       {"over all heads", [](auto& b) { replace_shape(b, "blk.1.attn_q_norm.weight", 42, 1); },
        "'blk.1.attn_q_norm.weight' has shape 42"}});
  expect_fixture_refused(
      "olmo2",
      {{"over one head", [](auto& b) { replace_shape(b, "blk.1.attn_k_norm.weight", 6, 1); },
        "'blk.1.attn_k_norm.weight' has shape 6"}});
}

TEST(FamilyHostile, ScalesThatAreNotFinite) {
  GgufBuilder builder = tiny_llama();
  GgufBuilder::Tensor& tensor = *builder.find_tensor("blk.1.ffn_up.weight");
  tensor.type = static_cast<uint32_t>(tensor::DType::q4_0);
  tensor.data.assign(48 * 18, std::byte{0});
  tensor.data[3 * 18 + 1] = std::byte{0x7E};
  const auto bytes = builder.build();
  const auto file = parse_gguf(bytes);
  const auto check = [&](std::string name) {
    TensorSlot slot;
    slot.name = std::move(name);
    slot.rows = file->find_tensor(slot.name)->rows();
    slot.cols = file->find_tensor(slot.name)->cols();
    refuse_bad_scales(find_weight(*file, slot));
  };
  try {
    check("blk.1.ffn_up.weight");
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("'blk.1.ffn_up.weight' (Q4_0) holds a number that is "
                                           "NaN or infinite: row 3, column 0"));
  }
  check("blk.0.ffn_up.weight");
}

}  // namespace
}  // namespace strata::models
