// The tokenizer of a folder in Hugging Face's layout: whichever of the forms the folder has.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "models/format/hf_folder.h"
#include "models/format/made_file.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::models {

// tokenizer.json, else tekken.json, else one of the others that docs/tokenizers.md lists.
// `n_vocab`: rows of the embedding. Error{not_found} when there is none; those of the readers, with
// the file's name.
std::shared_ptr<const Tokenizer> tokenizer_of(const HfFolder& folder, int32_t n_vocab);

// The files of which a folder needs one.
std::vector<std::string_view> tokenizer_files();

// Puts the folder's vocabulary into `file` in GGUF's keys. Errors: those of
// tokenizer_of; unimplemented where no kind of GGUF vocabulary does the same.
void set_vocabulary(MadeFile& file, const HfFolder& folder, int32_t n_vocab);

}  // namespace strata::models
