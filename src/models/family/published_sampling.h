// How the makers of a folder sample: generation_config.json as GGUF's keys general.sampling.*,
// which inference/defaults.cpp reads.
#pragma once

#include "core/json.h"
#include "models/format/made_file.h"

namespace strata::models {

// `generation`: the file's object. "do_sample": false is temperature 0, whatever else stands there.
// A repetition penalty is of the whole text, as transformers has it. Null is absent.
// Error{invalid_argument} with the field: no number.
void set_published_sampling(const json::object& generation, MadeFile& file);

// The other way round; what transformers has no field for is left out.
void add_published_sampling(const ModelFile& file, json::object& generation);

// Whether add_published_sampling writes this key.
bool is_published_sampling(std::string_view key);

}  // namespace strata::models
