// What is special in models of hf_*.json and no field of their config.json switches off: with it
// changed in the description the answers must not be the oracle's, else hf_reference_test.cpp
// proves nothing about it.
#include <gtest/gtest.h>

#include "core/testing/temp_folder.h"
#include "inference/testing/reference.h"
#include "models/family/hf_model.h"
#include "models/testing/hf_model.h"

namespace strata::inference {
namespace {

using models::Activation;
using models::Attention;
using models::Block;
using models::kNoTensor;
using models::Layer;
using models::Mlp;
using models::ModelSpec;
using models::NormKind;

Attention& attention(Layer& layer) {
  return std::get<Attention>(layer.blocks[0].op);
}

struct Feature {
  std::string model;  // hf_NAME.json
  std::string what;
  std::function<void(Layer&)> change;
};

std::function<void(Layer&)> activation(Activation other) {
  return [other](Layer& layer) { std::get<Mlp>(layer.blocks[1].op).activation = other; };
}

void no_norms_of_heads(Layer& layer) {
  attention(layer).q_norm = {};
  attention(layer).k_norm = {};
}

void one_after_the_other(Layer& layer) {
  layer.blocks[1].parallel_to_previous = false;
}

void no_biases_of_heads(Layer& layer) {
  Attention& op = attention(layer);
  op.q.bias = op.k.bias = op.v.bias = kNoTensor;
}

void norms_before(Layer& layer) {
  for (Block& block : layer.blocks) std::swap(block.pre_norm, block.post_norm);
}

void norm_of_the_mlp(Layer& layer) {
  layer.blocks[0].pre_norm = layer.blocks[1].pre_norm;
}

void mean_kept(Layer& layer) {
  for (Block& block : layer.blocks) block.pre_norm.kind = NormKind::rms;
}

std::vector<Feature> features() {
  return {
      {"arcee", "the square of ReLU", activation(Activation::relu)},
      {"arcee", "ReLU", activation(Activation::silu)},
      {"gemma3n", "norms of values", [](Layer& layer) { attention(layer).v_norm = {}; }},
      {"gemma3n", "whose keys layers see",
       [](Layer& layer) {
         int32_t& kv_of = attention(layer).kv_of;
         if (kv_of == 3) kv_of = 1;
       }},
      {"gemma3n", "residuals of low rank beside attention", one_after_the_other},
      {"gemma3n", "sums of two parts", [](Layer& layer) { layer.blocks[1].sum_scale = 1.0f; }},
      {"gemma3n", "the scale of a corrected stream",
       [](Layer& layer) { layer.mix->scale = kNoTensor; }},
      {"nemotron", "the square of ReLU", activation(Activation::relu)},
      {"cohere_qk_norm", "norms of queries and keys", no_norms_of_heads},
      {"cohere_qk_norm", "attention and MLP side by side", one_after_the_other},
      {"cohere", "attention and MLP side by side", one_after_the_other},
      {"falcon", "attention and MLP side by side", one_after_the_other},
      {"falcon", "GELU", activation(Activation::relu)},
      {"falcon_11b", "attention and MLP side by side", one_after_the_other},
      {"falcon_40b", "attention and MLP side by side", one_after_the_other},
      {"falcon_40b", "the attention's own norm", norm_of_the_mlp},
      {"olmo", "norms that take the mean away", mean_kept},
      {"olmo2", "norms behind the blocks", norms_before},
      {"olmo2", "norms of queries and keys", no_norms_of_heads},
      {"qwen2", "biases of queries, keys and values", no_biases_of_heads},
      {"qwen3", "norms of queries and keys", no_norms_of_heads},
  };
}

Reference reference_of(const std::string& name) {
  const json::value fixture = read_fixture("hf_" + name);
  const auto folder = std::make_shared<strata::testing::TempFolder>();
  models::write_hf_folder(folder->path(), fixture.at("config").as_object(),
                          fixture.at("tensors").as_object());
  const auto open = [folder] {
    return models::translate(std::make_shared<models::HfFolder>(folder->path()));
  };
  return {fixture, open, false};
}

TEST(HfFeatures, SideInputsOfTokensAreSeen) {
  Reference reference = reference_of("gemma3n");
  const auto change = [](ModelSpec& spec) { spec.streams->table_scale = 1.0f; };
  EXPECT_GT(prefill(reference, change), 20 * kTolerance);
}

TEST(HfFeatures, EachIsSeen) {
  for (const Feature& feature : features()) {
    Reference reference = reference_of(feature.model);
    const auto change = [&](ModelSpec& spec) {
      for (Layer& layer : spec.layers) feature.change(layer);
    };
    EXPECT_GT(prefill(reference, change), 20 * kTolerance)
        << feature.model << " without " << feature.what;
  }
}

TEST(HfFeatures, MatricesInThePlaceOfBlocksAreSeen) {
  for (const char* name : {"deci", "deci_linear"}) {
    Reference reference = reference_of(name);
    size_t n_matrices = 0;
    const auto change = [&](ModelSpec& spec) {
      for (Layer& layer : spec.layers) {
        n_matrices += std::erase_if(layer.blocks, [](const Block& block) {
          return std::holds_alternative<models::Projection>(block.op);
        });
      }
    };
    EXPECT_GT(prefill(reference, change), 20 * kTolerance) << name;
    EXPECT_GT(n_matrices, 0u) << name;
  }
}

// Of five layers the fourth knows none.
TEST(HfFeatures, LayersWithoutPositionsAreSeen) {
  Reference reference = reference_of("smollm3");
  const auto change = [](ModelSpec& spec) {
    EXPECT_EQ(attention(spec.layers[3]).rope.kind, models::RopeKind::none);
    attention(spec.layers[3]).rope = attention(spec.layers[0]).rope;
  };
  EXPECT_GT(prefill(reference, change), 20 * kTolerance);
}

// The first head's weights for each head.
void norm_heads_alone(ModelSpec& spec) {
  for (Layer& layer : spec.layers) {
    Attention& op = attention(layer);
    op.head_norms = models::HeadNorms::shared;
    for (models::Norm* norm : {&op.q_norm, &op.k_norm}) {
      models::TensorSlot slot = spec.tensors[static_cast<size_t>(norm->weight)];
      slot.stored_rows = slot.rows;
      slot.rows = 1;
      norm->weight = static_cast<models::TensorId>(spec.tensors.size());
      spec.tensors.push_back(slot);
    }
  }
}

TEST(HfFeatures, WeightsOfEachHeadsNormAreSeen) {
  Reference reference = reference_of("cohere_qk_norm");
  EXPECT_GT(prefill(reference, norm_heads_alone), 20 * kTolerance);
}

}  // namespace
}  // namespace strata::inference
