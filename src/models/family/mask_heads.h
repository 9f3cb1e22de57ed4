// What is read of a folder of an encoder that fills in masks.
#pragma once

namespace strata::models {

// Whether its head is read. What is written of a model, a GGUF file or a folder, does not have it.
enum class MaskHeads { read, left_out };

}  // namespace strata::models
