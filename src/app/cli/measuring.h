// What the commands that run a text through a model ask before they do: whether the memory is
// enough, how long a chunk is, and whether the text fills one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/command.h"
#include "models/model.h"
#include "tensor/kv_page.h"

namespace strata::app {

// Bytes of the fast executor with so many positions, of all sequences together.
uint64_t fast_bytes(const models::Model& model, int64_t positions, tensor::KvFormat kv);
// Bytes of the float32 executor's weights: each is held as a float.
uint64_t float32_bytes(const models::Model& model);

// Error{resource_exhausted} with both numbers where `needed` bytes are not available. `as`: how the
// model would be held (" as float32"), or empty; `hint`: what else can be done.
void require_memory(std::string_view model, std::string_view as, uint64_t needed,
                    std::string_view hint);

// --context, else 512 or the positions of a model that has fewer. Error{invalid_argument} for more
// than the model has.
int32_t chunk_from(const Arguments& arguments, const models::Model& model);

struct ChunkedText {
  std::vector<int32_t> tokens;
  int32_t chunk = 0;             // tokens of one
  std::optional<int32_t> bos{};  // the token that each begins with
};
// Error{invalid_argument} with both counts where the text does not fill one chunk; `hint`: what
// would.
ChunkedText chunk_text(const models::Model& model, const std::string& text, int32_t chunk,
                       std::string_view hint = "give a longer text, or smaller chunks (--context)");

}  // namespace strata::app
