// The mixtures of types that a model is quantised to, by llama.cpp's names: which type each tensor
// gets by what it is for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "modify/roles.h"
#include "tensor/dtype.h"

namespace strata::modify {

struct Mix {
  std::string_view name;      // "Q4_K_M"
  uint32_t file_type;         // general.file_type
  tensor::DType base;         // of what no rule of the mixture is about
  bool experts_only = false;  // all but stacks of experts: Q8_0
};

std::span<const Mix> all_mixes();
// By name, in any case; "Q4_K" is Q4_K_M, as "Q3_K" and "Q5_K" are their M.
// Error{invalid_argument} with what there is.
const Mix& find_mix(std::string_view name);

struct MixOptions {
  bool as_stored = false;       // matrices keep their types
  bool pure = false;            // the base type for all
  bool has_importance = false;  // some rules guard against what happens without
  std::optional<tensor::DType> embedding{}, head{};  // instead of what the mixture says
};

// The type of a tensor with rows of `cols` weights; is_stack: of experts.
tensor::DType type_in_mix(const Mix& mix, const MixOptions& options, const ModelTraits& traits,
                          const Place& place, bool is_stack, uint64_t cols);

// `type`, or where rows of `cols` weights are no blocks of it one of smaller blocks and at least
// its bits; F16 when nothing else divides.
tensor::DType type_that_divides(tensor::DType type, uint64_t cols);

}  // namespace strata::modify
