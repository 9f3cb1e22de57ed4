// A GGUF file's vocabulary (tokenizer.ggml.*) as a tokenizer.json, for programs that read folders
// in Hugging Face's layout.
#pragma once

#include <memory>
#include <string>

#include "models/format/model_file.h"

namespace strata::models {

// The tokenizer.json that the file carries whole, else one made of its vocabulary.
// Error{unimplemented}: a kind of vocabulary for which there is none, or that gives other ids on a
// list of texts made to tell kinds apart.
std::string tokenizer_json_of(const std::shared_ptr<const ModelFile>& file);

}  // namespace strata::models
