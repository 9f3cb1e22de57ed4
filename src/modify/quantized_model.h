// A model of the store, quantised into another one of the store.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "models/hub/store.h"
#include "modify/mix.h"

namespace strata::modify {

struct QuantizedModelOptions {
  int n_threads = 1;
  // What is done ("quantising", "hashing"), bytes of all; false ends it with Error{cancelled}.
  std::function<bool(const char* stage, uint64_t done, uint64_t total)> progress{};
};

// Quantises `source` into one GGUF blob and stores it as `name`, with the source's licence and
// settings, and where it came from. Memory does not grow with the model; until the last byte is
// written the store keeps what `name` stood for. Errors: failed_precondition where the source is
// quantised already; those of open_whole_model_file, plan_quantization, quantize and the store.
models::Manifest store_quantized(const models::Store& store, const models::Manifest& source,
                                 const Mix& mix, const std::string& name,
                                 const QuantizedModelOptions& options);

}  // namespace strata::modify
