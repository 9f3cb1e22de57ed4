#include "inference/block/moe.h"

#include <algorithm>
#include <span>

#include "inference/block/mlp.h"
#include "inference/block/routing.h"
#include "inference/float32_ops.h"

namespace strata::inference {
namespace {

// out += weight * row
void add_weighted(std::span<const float> row, float weight, std::span<float> out) {
  for (size_t i = 0; i < row.size(); ++i) out[i] += weight * row[i];
}

}  // namespace

std::vector<int32_t> moe_float32(const models::Moe& moe, const Float32Weights& weights,
                                 int64_t n_rows, const float* x, int64_t n_embd, float* y,
                                 int n_threads) {
  const size_t n_experts = moe.experts.size();
  const auto n_used = static_cast<size_t>(moe.n_used);
  const auto width = static_cast<size_t>(n_embd);
  const std::span input(x, static_cast<size_t>(n_rows) * width);
  const std::span output(y, input.size());
  std::vector<float> logits(static_cast<size_t>(n_rows) * n_experts);
  multiply(weights, moe.router, x, n_rows, static_cast<int64_t>(n_experts), n_embd, logits.data(),
           n_threads);
  const std::span bias = weights.values(moe.choice_bias);
  const Routing routing = routing_of(moe, {bias.begin(), bias.end()});
  std::vector<int32_t> experts(static_cast<size_t>(n_rows) * n_used);
  std::vector<float> shares(experts.size());
  for (size_t row = 0; row < static_cast<size_t>(n_rows); ++row) {
    choose_experts(routing, std::span(logits).subspan(row * n_experts, n_experts),
                   std::span(experts).subspan(row * n_used, n_used),
                   std::span(shares).subspan(row * n_used, n_used));
  }

  std::fill(output.begin(), output.end(), 0.0f);
  std::vector<float> result(input.size());
  for (size_t expert = 0; expert < n_experts; ++expert) {
    std::vector<size_t> chosen;  // in `experts`
    std::vector<float> rows;
    for (size_t i = 0; i < experts.size(); ++i) {
      if (experts[i] != static_cast<int32_t>(expert)) continue;
      chosen.push_back(i);
      const float weight = moe.weighs_inputs ? shares[i] : 1.0f;
      for (const float value : input.subspan(i / n_used * width, width)) {
        rows.push_back(weight * value);
      }
    }
    mlp_float32(moe.experts[expert], weights, static_cast<int64_t>(chosen.size()), rows.data(),
                n_embd, result.data(), n_threads);
    for (size_t i = 0; i < chosen.size(); ++i) {
      const float weight = moe.weighs_inputs ? 1.0f : shares[chosen[i]];
      add_weighted(std::span(result).subspan(i * width, width), weight,
                   output.subspan(chosen[i] / n_used * width, width));
    }
  }
  if (!moe.shared) return experts;
  mlp_float32(*moe.shared, weights, n_rows, x, n_embd, result.data(), n_threads);
  const float* gate = weights.data(moe.shared_gate);
  for (size_t begin = 0; begin < input.size(); begin += width) {
    const float weight =
        gate == nullptr ? 1.0f : shared_weight(dot(input.data() + begin, gate, n_embd));
    add_weighted(std::span(result).subspan(begin, width), weight, output.subspan(begin, width));
  }
  return experts;
}

}  // namespace strata::inference
