// The chain against llama.cpp's. Oracle: llama.cpp b11434, tests/oracle/sampler.cpp (which says how
// to run it); its answers: testdata/sampler.jsonl.
#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/json.h"
#include "inference/noise.h"
#include "inference/sampler.h"

namespace strata::inference {
namespace {

float oracle_logit(uint64_t seed, int i, float scale) {
  const uint64_t h = mix64(seed * 1000003 + static_cast<uint64_t>(i));
  const auto sum =
      static_cast<int64_t>((h & 0xFFFF) + ((h >> 16) & 0xFFFF) + ((h >> 32) & 0xFFFF) + (h >> 48)) -
      131070;
  return static_cast<float>(sum) / 65536.0f * scale;
}

int32_t oracle_history(uint64_t seed, int i, int distinct) {
  return static_cast<int32_t>(mix64(seed * 7919 + 77 + static_cast<uint64_t>(i)) %
                              static_cast<uint64_t>(distinct));
}

float number(const json::object& c, const char* key) {
  return c.at(key).to_number<float>();
}
int32_t integer(const json::object& c, const char* key) {
  return c.at(key).to_number<int32_t>();
}

SamplerParams params_of(const json::object& c) {
  SamplerParams p;
  p.temperature = number(c, "temperature");
  p.top_k = integer(c, "top_k");
  p.top_p = number(c, "top_p");
  p.min_p = number(c, "min_p");
  p.typical_p = number(c, "typical_p");
  p.top_n_sigma = number(c, "top_n_sigma");
  p.xtc_probability = number(c, "xtc_probability");
  p.xtc_threshold = number(c, "xtc_threshold");
  p.repeat_last_n = integer(c, "repeat_last_n");
  p.repeat_penalty = number(c, "repeat_penalty");
  p.presence_penalty = number(c, "presence_penalty");
  p.frequency_penalty = number(c, "frequency_penalty");
  p.dry_multiplier = number(c, "dry_multiplier");
  p.dry_base = number(c, "dry_base");
  p.dry_allowed_length = integer(c, "dry_allowed_length");
  p.dry_penalty_last_n = integer(c, "dry_penalty_last_n");
  p.mirostat = integer(c, "mirostat");
  p.mirostat_tau = number(c, "mirostat_tau");
  for (const json::value& entry : c.at("bias").as_array()) {
    const json::array& pair = entry.as_array();
    const float bias =
        pair[1].is_null() ? -std::numeric_limits<float>::infinity() : pair[1].to_number<float>();
    p.logit_bias[pair[0].to_number<int32_t>()] = bias;
  }
  return p;
}

std::shared_ptr<DryBreakers> breakers_of(const json::object& c) {
  auto breakers = std::make_shared<DryBreakers>();
  for (const json::value& entry : c.at("breakers").as_array()) {
    std::vector<int32_t> ids;
    for (const json::value& id : entry.as_array()) ids.push_back(id.to_number<int32_t>());
    breakers->tails[ids[0]].push_back({ids.begin() + 1, ids.end()});
  }
  return breakers;
}

// The first difference between our answer and the oracle's; empty: none.
std::string difference(const json::object& c, const SamplerParams& params) {
  const auto seed = c.at("seed").to_number<uint64_t>();
  std::vector<float> logits;
  for (int i = 0; i < integer(c, "n_vocab"); ++i) {
    logits.push_back(oracle_logit(seed, i, number(c, "scale")));
  }
  std::vector<int32_t> history;
  for (int i = 0; i < integer(c, "n_history"); ++i) {
    history.push_back(oracle_history(seed, i, integer(c, "distinct")));
  }
  validate(params, integer(c, "n_vocab"));
  Sampler sampler(params, 0, breakers_of(c));
  std::map<int32_t, double> ours;
  for (const WeightedToken& t : sampler.distribution(logits, history)) {
    if (t.probability > 1e-30) ours[t.id] = t.probability;
  }
  if (ours.size() != static_cast<size_t>(integer(c, "n_kept"))) {
    return fmt::format("{} tokens, the oracle has {}", ours.size(), integer(c, "n_kept"));
  }
  for (const json::value& entry : c.at("kept").as_array()) {
    const json::array& pair = entry.as_array();
    const auto id = pair[0].to_number<int32_t>();
    const auto expected = pair[1].to_number<double>();
    if (!ours.count(id) || std::abs(ours[id] - expected) > 1e-5) {
      return fmt::format("token {}: {}, the oracle has {}", id, ours[id], expected);
    }
  }
  return {};
}

std::vector<json::object> cases() {
  std::ifstream file(STRATA_SOURCE_DIR "/src/inference/testdata/sampler.jsonl");
  std::vector<json::object> all;
  for (std::string line; std::getline(file, line);) all.push_back(parse_json(line).as_object());
  return all;
}

TEST(SamplerOracle, same_survivors_and_probabilities_as_llama_cpp) {
  const std::vector<json::object> all = cases();
  EXPECT_EQ(all.size(), 1000u);
  for (const json::object& c : all) {
    EXPECT_EQ(difference(c, params_of(c)), "") << json::serialize(c.at("seed"));
  }
}

// The fixture must notice each step: with one switched off, many cases differ.
TEST(SamplerOracle, every_step_matters_to_the_fixture) {
  const SamplerParams off;
  const auto without = [&](auto member) {
    int n_different = 0;
    for (const json::object& c : cases()) {
      SamplerParams params = params_of(c);
      params.*member = off.*member;
      n_different += difference(c, params).empty() ? 0 : 1;
    }
    return n_different;
  };
  EXPECT_GT(without(&SamplerParams::logit_bias), 20);
  EXPECT_GT(without(&SamplerParams::repeat_penalty), 20);
  EXPECT_GT(without(&SamplerParams::presence_penalty), 20);
  EXPECT_GT(without(&SamplerParams::frequency_penalty), 20);
  EXPECT_GT(without(&SamplerParams::dry_multiplier), 20);
  EXPECT_GT(without(&SamplerParams::top_n_sigma), 20);
  EXPECT_GT(without(&SamplerParams::top_k), 20);
  EXPECT_GT(without(&SamplerParams::typical_p), 20);
  EXPECT_GT(without(&SamplerParams::top_p), 20);
  EXPECT_GT(without(&SamplerParams::min_p), 20);
  EXPECT_GT(without(&SamplerParams::xtc_probability), 20);
  EXPECT_GT(without(&SamplerParams::temperature), 20);
  EXPECT_GT(without(&SamplerParams::mirostat), 20);
}

}  // namespace
}  // namespace strata::inference
