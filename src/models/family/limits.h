// What a model may be at most. Far above what exists; small enough that sums and products of a few
// of these numbers can't overflow an int64.
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::models {

constexpr int32_t kMaxLayers = 512;
constexpr int32_t kMaxHeads = 4096;
constexpr int32_t kMaxHeadDim = 8192;
constexpr int32_t kMaxEmbedding = 1 << 20;
constexpr int32_t kMaxHidden = 1 << 24;
constexpr int32_t kMaxExperts = 1 << 12;
// Of all layers together, since tensors of a small file may overlap: 25 MB of slots. Qwen3-235B has
// 36,096.
constexpr int64_t kMaxExpertMatrices = 1 << 17;
// Matrices of one head each, of all layers together. DeepSeek-V3 has 15,616.
constexpr int64_t kMaxHeadMatrices = 1 << 17;
constexpr int32_t kMaxTaps = 64;  // of a convolution over positions
constexpr int32_t kMaxVocabulary = 1 << 24;
constexpr int32_t kMaxContext = 1 << 28;
constexpr int32_t kMaxTokenTypes = 1 << 10;
constexpr int32_t kMaxScores = 1 << 16;
constexpr int32_t kMaxStreams = 64;    // of a row
constexpr size_t kMaxDenseStages = 4;  // matrices behind the pooling

}  // namespace strata::models
