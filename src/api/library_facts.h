// What a model's file says about itself, in the words that lists and `show` use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "models/format/model_file.h"

namespace strata::api {

int64_t count_weights(const models::ModelFile& file);
std::string parameter_size(int64_t n_weights);  // "135M", "1.2B"
// The file's own name for its mixture ("Q4_K_M"), else the type that most weights have.
std::string quantization(const models::ModelFile& file);
// The types of the weights with their share of all weights, the largest first; they sum up to 1.
struct WeightShare {
  std::string_view type;  // "Q4_K"
  double share = 0;
};
std::vector<WeightShare> weight_shares(const models::ModelFile& file);
// All metadata. Arrays beyond max_items, and texts that are too long or no UTF-8, are null.
json::object file_info(const models::ModelFile& file, size_t max_items);
json::array tensor_list(const models::ModelFile& file);  // {"name", "type", "shape"}

}  // namespace strata::api
