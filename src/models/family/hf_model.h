// A folder in Hugging Face's layout as a model: the family that knows its class translates it.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "models/family/mask_heads.h"
#include "models/format/hf_folder.h"
#include "models/format/made_file.h"

namespace strata::models {

// `name` becomes general.name; without one the folder's is taken.
// Error{unimplemented} with the list of known classes when no family translates it; errors of
// HfFolder and Translation.
std::shared_ptr<MadeFile> translate(std::shared_ptr<const HfFolder> folder,
                                    std::string_view name = {}, MaskHeads masks = MaskHeads::read);

// What config.json alone tells, before anything else is there: errors of translate() for a class
// that no family translates, and for weights that are stored in a way that nobody reads.
void refuse_unknown_folder(const json::object& config);

}  // namespace strata::models
