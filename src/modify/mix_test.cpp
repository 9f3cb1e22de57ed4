#include "modify/mix.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/json.h"
#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/test_data.h"
#include "models/family/family.h"
#include "models/format/gguf.h"
#include "modify/quantize_plan.h"

namespace strata::modify {
namespace {

using tensor::DType;

json::object recorded() {
  return parse_json(read_file(STRATA_SOURCE_DIR "/src/modify/testdata/quantize.json")).as_object();
}

// "attn_v Q6_K" → the layers that have it, of the matrices of a plan.
std::map<std::string, std::vector<int64_t>> by_place(const QuantizePlan& plan) {
  std::map<std::string, std::vector<int64_t>> result;
  for (const auto& tensor : plan.tensors) {
    if (tensor.source->n_dims < 2) continue;
    std::string name(tensor.source->name);
    int64_t layer = 0;
    if (name.starts_with("blk.")) {
      const size_t dot = name.find('.', 4);
      layer = std::stoll(name.substr(4, dot - 4));
      name = name.substr(dot + 1, name.rfind('.') - dot - 1);
    }
    result[name + " " + std::string(tensor::dtype_info(tensor.type).name)].push_back(layer);
  }
  for (auto& entry : result) std::ranges::sort(entry.second);
  return result;
}

TEST(Mix, GivesTheTypesThatTheReferenceGives) {
  const auto file = models::open_gguf(testing::test_data("models/smollm2-135m.gguf"));
  const auto spec = models::describe_model(*file);
  const json::object reference = recorded();
  for (const auto& [name, places] : reference.at("mixes").as_object()) {
    SCOPED_TRACE(std::string_view(name));
    std::map<std::string, std::vector<int64_t>> expected;
    for (const auto& [place, layers] : places.as_object()) {
      for (const auto& layer : layers.as_array()) expected[place].push_back(layer.as_int64());
    }
    EXPECT_EQ(by_place(plan_quantization(*file, spec, find_mix(name), {})), expected);
  }
  // The rules are what makes the difference.
  EXPECT_NE(by_place(plan_quantization(*file, spec, find_mix("Q4_K_M"), {})),
            by_place(plan_quantization(*file, spec, find_mix("Q4_K_M"), {.pure = true})));
}

DType type_of(std::string_view mix, const ModelTraits& traits, const Place& place,
              const MixOptions& options = {}) {
  return type_in_mix(find_mix(mix), options, traits, place, false, 4096);
}

TEST(Mix, FollowsHeadsExpertsAndImportance) {
  const ModelTraits grouped{.n_layers = 32, .n_attentions = 32, .heads_per_kv = 4};
  const ModelTraits alone{.n_layers = 32, .n_attentions = 32, .heads_per_kv = 1};
  EXPECT_EQ(type_of("Q2_K", grouped, {.role = Role::v}), DType::q4_k);
  EXPECT_EQ(type_of("Q2_K", alone, {.role = Role::v}), DType::q3_k);
  EXPECT_EQ(type_of("Q4_K_M", alone, {.role = Role::qkv}), DType::q5_k);
  EXPECT_EQ(type_of("IQ4_XS", alone, {.role = Role::down, .layer = 3}), DType::q5_k);
  EXPECT_EQ(type_of("IQ4_XS", alone, {.role = Role::down, .layer = 3}, {.has_importance = true}),
            DType::iq4_xs);
  EXPECT_EQ(type_of("Q4_0", alone, {.role = Role::down}, {.has_importance = true}), DType::q4_1);
  const ModelTraits large{.n_layers = 80, .n_attentions = 80, .heads_per_kv = 8};
  EXPECT_EQ(type_of("Q4_K_S", large, {.role = Role::v, .attention_index = 40}), DType::q5_k);
  const ModelTraits experts{.n_layers = 32, .n_attentions = 32, .heads_per_kv = 4, .n_experts = 8};
  EXPECT_EQ(type_of("Q4_K_M", experts, {.role = Role::k}), DType::q8_0);
  EXPECT_EQ(type_of("Q4_K_M", experts, {.role = Role::attention_output}), DType::q5_k);
}

TEST(Mix, KeepsWhatTheCallerSays) {
  const ModelTraits traits{.n_layers = 32, .n_attentions = 32, .heads_per_kv = 4};
  const MixOptions options{.embedding = DType::q8_0, .head = DType::bf16};
  EXPECT_EQ(type_of("Q4_K_M", traits, {.role = Role::embedding}, options), DType::q8_0);
  EXPECT_EQ(type_of("Q4_K_M", traits, {.role = Role::head}, options), DType::bf16);
  EXPECT_EQ(type_of("Q4_K_M", traits, {.role = Role::head}), DType::q6_k);
  EXPECT_EQ(type_of("Q4_K_M", traits, {.role = Role::v}, {.pure = true}), DType::q4_k);
}

TEST(Mix, FallsBackWhereRowsDoNotDivide) {
  EXPECT_EQ(type_that_divides(DType::q4_k, 512), DType::q4_k);
  EXPECT_EQ(type_that_divides(DType::q4_k, 576), DType::q5_0);
  EXPECT_EQ(type_that_divides(DType::q5_k, 576), DType::q5_1);
  EXPECT_EQ(type_that_divides(DType::q6_k, 576), DType::q8_0);
  EXPECT_EQ(type_that_divides(DType::q2_k, 576), DType::q4_0);
  EXPECT_EQ(type_that_divides(DType::iq4_xs, 576), DType::iq4_nl);
  EXPECT_EQ(type_that_divides(DType::q4_k, 577), DType::f16);
  EXPECT_EQ(type_that_divides(DType::q8_0, 577), DType::f16);
}

TEST(Mix, KnowsNamesInAnyCaseAndNamesTheNearest) {
  EXPECT_EQ(find_mix("q4_k_m").name, "Q4_K_M");
  EXPECT_EQ(find_mix("Q4_K").name, "Q4_K_M");
  const Error error = strata::testing::error_of([] { find_mix("Q4_K_X"); });
  EXPECT_EQ(error.code(), Code::invalid_argument);
  EXPECT_NE(error.hint().find("Q4_K_M"), std::string::npos);
  EXPECT_EQ(
      strata::testing::error_of([] { find_mix("q4km"); }).hint().find("did you mean 'Q4_K_M'"), 0u);
}

}  // namespace
}  // namespace strata::modify
