// What config.json of an encoder's class says that no key of GGUF's does.
#pragma once

#include <string>

#include "models/family/family.h"

namespace strata::models {

// Error{unimplemented}: a folder of the class can't hold such a model.
[[noreturn]] void refuse_class(const std::string& why);

// type_vocab_size. Refuses heads that together are not as wide as the embedding, or share keys,
// which these classes have no field for.
void encoder_fields(const ModelSpec& spec, HfFields& fields);

}  // namespace strata::models
