// What a folder in Hugging Face's layout may be at most.
#pragma once

#include <cstddef>

namespace strata::models {

constexpr size_t kMaxSafetensorsHeader = 100u << 20;  // as the format's own reader has it
constexpr size_t kMaxHfDimensions = 8;
constexpr size_t kMaxHfShards = 4096;
constexpr size_t kMaxHfConfig = 16u << 20;      // config.json and its like
constexpr size_t kMaxHfTokenizer = 256u << 20;  // tokenizer.json: Gemma's has 33 MB

}  // namespace strata::models
