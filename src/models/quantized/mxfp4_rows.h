// Weights in MXFP4: 32 numbers of four bits (E2M1) share an exponent (E8M0). GGUF's type of that
// name holds the same bits in another order.
#pragma once

#include <string>

#include "models/quantized/hf_weight.h"
#include "models/quantized/stored.h"

namespace strata::models {

// `blocks`: U8, 16 bytes for 32 columns, the lower four bits first; `scales`: U8 or F8_E8M0, one a
// block, of as many rows and matrices. `shape`: of the weight, slowest first, two or three
// dimensions. Error{invalid_argument} with file and tensor: sizes that do not fit.
HfWeight mxfp4_weight(const Stored& stored, const std::string& name, const SafeTensor& blocks,
                      const SafeTensor& scales, std::vector<uint64_t> shape);

}  // namespace strata::models
