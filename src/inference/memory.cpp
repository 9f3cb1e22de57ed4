#include "inference/memory.h"

#include <algorithm>

namespace strata::inference {
namespace {

constexpr int64_t kBytesPerValue = 2;   // bf16
constexpr int64_t kPagePositions = 64;  // the largest page (tensor/ops.h)
constexpr int64_t kWorkBytes = 80 << 20;

}  // namespace

MemoryNeed foretell_memory(const models::ModelSpec& spec, int64_t file_bytes, int64_t positions) {
  MemoryNeed need{
      .weight_bytes = file_bytes + file_bytes / 20, .kv_bytes = 0, .work_bytes = kWorkBytes};
  for (const auto& layer : spec.layers) {
    for (const auto& block : layer.blocks) {
      const auto* attention = std::get_if<models::Attention>(&block.op);
      if (attention == nullptr) continue;
      const int64_t held = attention->window == 0
                               ? positions
                               : std::min<int64_t>(positions, attention->window + kPagePositions);
      const int64_t pages = (held + kPagePositions - 1) / kPagePositions;
      need.kv_bytes +=
          pages * kPagePositions * 2 * attention->n_kv_heads * attention->head_dim * kBytesPerValue;
    }
  }
  return need;
}

}  // namespace strata::inference
