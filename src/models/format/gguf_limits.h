// What a GGUF file may hold at most. Everything else is bounded by the size of the file, since
// nothing is allocated for a count before its bytes are known to be there.
#pragma once

#include <cstdint>

namespace strata::models {

constexpr uint64_t kMaxGgufValues = 1u << 16;     // real files have 20 to 60
constexpr uint64_t kMaxGgufTensors = 1u << 17;    // unstacked experts of the largest models: 46,000
constexpr uint64_t kMaxGgufKeyBytes = 65535;      // the specification's own limit
constexpr uint64_t kMaxGgufNameBytes = 63;        // what the reference implementation accepts
constexpr uint32_t kMaxGgufDimensions = 4;        // the format's own limit
constexpr uint64_t kMaxGgufAlignment = 1u << 21;  // a huge page
constexpr uint64_t kMinGgufAlignment = 8;         // the specification: a multiple of 8
constexpr uint64_t kMaxGgufParts = 1024;          // of a split model

}  // namespace strata::models
