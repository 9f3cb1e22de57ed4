// A folder in Hugging Face's layout as a model: the family that knows its class translates it.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "models/format/hf_folder.h"
#include "models/format/made_file.h"

namespace strata::models {

// `name` becomes general.name; without one the folder's is taken.
// Error{unimplemented} with the list of known classes when no family translates it; errors of
// HfFolder and Translation.
std::shared_ptr<MadeFile> translate(std::shared_ptr<const HfFolder> folder,
                                    std::string_view name = {});

}  // namespace strata::models
