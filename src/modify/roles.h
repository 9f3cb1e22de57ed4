// What each stored tensor of a model is for, read off its spec: the methods that treat tensors
// differently go by this, never by a name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "models/family/spec.h"

namespace strata::modify {

enum class Role { embedding, head, q, k, v, qkv, attention_output, gate, up, down, projection };

std::string_view role_name(Role role);  // "attention output"

struct Place {
  Role role = Role::embedding;
  int32_t layer = 0;
  int32_t attention_index = 0;  // of the layer's attention among all of the model
};

// By the name of the stored tensor: all matrices that rows of activations are multiplied with, but
// for routers and gates of experts, whose few numbers decide too much. A table that is both
// embedding and head is a head. What is not in here (norms, biases, routers, frequencies) stays as
// it is.
using Places = std::map<std::string, Place, std::less<>>;
Places places_of(const models::ModelSpec& spec);

// What mixtures of types ask about a model as a whole.
struct ModelTraits {
  int32_t n_layers = 0;
  int32_t n_attentions = 0;
  int32_t heads_per_kv = 1;  // query heads that share a key head; the least of all layers
  int32_t n_experts = 0;     // the most of all layers
};
ModelTraits traits_of(const models::ModelSpec& spec);

}  // namespace strata::modify
