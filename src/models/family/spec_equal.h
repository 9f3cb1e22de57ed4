// Whether two models are made of the same: equal specs compute the same of the same weights.
#pragma once

#include "models/family/spec.h"

namespace strata::models {

// Every field of every part; a field that is new in spec.h counts by being there.
bool same_model(const ModelSpec& a, const ModelSpec& b);
bool same_layer(const Layer& a, const Layer& b);

}  // namespace strata::models
