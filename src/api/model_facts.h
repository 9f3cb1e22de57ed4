// What is known of a model of the store before it is loaded: where it came from, what is in it, and
// what it would take of this machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/library.h"
#include "api/library_facts.h"
#include "api/machine.h"

namespace strata::api {

struct ModelFacts {
  models::Manifest manifest;
  std::string licence, architecture, quantization;
  int64_t n_weights = 0;
  double bits_per_weight = 0;  // of its files, with all that is in them
  std::vector<WeightShare> shares;
  // Of an architecture that can be run; nullopt: it cannot, and `why_not` says it.
  struct Runs {
    int32_t n_context = 0, n_layers = 0, n_vocab = 0;
    ModelNeed need;                   // with keys and values as bf16
    double weight_bytes_a_token = 0;  // experts that rest are not read
  };
  std::optional<Runs> runs;
  std::string why_not;
};

// Errors: not_found; data_loss, also of a spoilt file. Reads the head of the file.
ModelFacts facts_of(const ModelLibrary& library, std::string_view name, uint64_t context);

}  // namespace strata::api
