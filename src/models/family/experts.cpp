#include "models/family/experts.h"

namespace strata::models {
namespace {

int64_t n_weights(const ModelSpec& spec, const Mlp& mlp) {
  uint64_t n = 0;
  for (const Linear* linear : {&mlp.gate, &mlp.up, &mlp.down}) {
    if (linear->weight == kNoTensor) continue;
    const TensorSlot& slot = spec.tensors[static_cast<size_t>(linear->weight)];
    n += slot.rows * slot.cols;
  }
  return static_cast<int64_t>(n);
}

}  // namespace

ExpertFacts expert_facts(const ModelSpec& spec) {
  ExpertFacts facts;
  for (const Layer& layer : spec.layers) {
    for (const Block& block : layer.blocks) {
      const auto* moe = std::get_if<Moe>(&block.op);
      if (moe == nullptr) continue;
      const auto n_experts = static_cast<int32_t>(moe->experts.size());
      if (n_experts > facts.n_experts) {
        facts.n_experts = n_experts;
        facts.n_used = moe->n_used;
      }
      facts.n_idle_weights += (n_experts - moe->n_used) * n_weights(spec, moe->experts[0]);
    }
  }
  return facts;
}

}  // namespace strata::models
