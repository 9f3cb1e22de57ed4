// Writes a model again with its matrices in other types: tensor by tensor, some rows at a time, so
// that memory does not grow with the model, on all threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "modify/importance.h"
#include "modify/quantize_plan.h"

namespace strata::modify {

struct QuantizeOptions {
  int n_threads = 1;
  const Importance* importance = nullptr;  // of the columns; none: all alike
  bool measure_errors = false;             // reads every block back
  // Bytes read of all; false ends the work with Error{cancelled}. Called by the calling thread.
  std::function<bool(uint64_t done, uint64_t total)> progress{};
};

struct QuantizedTensor {
  // Root of the mean squared error over that of the weights, as the blocks give them back: weighted
  // where the columns have importance. 0 where the tensor was copied, or nothing was measured.
  double relative_error = 0.0;
  bool weighted = false;
};

// Writes `path` as planned; returns what there is to say of each tensor, in the plan's order. What
// a crash, an error or a cancellation leaves is the old file or none. Errors: those of GgufWriter;
// invalid_argument, with the tensor and row, for weights that are not finite, or too large for the
// type, and for importance of another width.
std::vector<QuantizedTensor> quantize(const models::ModelFile& file, const QuantizePlan& plan,
                                      const Mix& mix, const std::filesystem::path& path,
                                      const QuantizeOptions& options);

}  // namespace strata::modify
