// The folders in a model's folder that its modules.json names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace strata::modify {

// Those that are there, and are no links. Errors: those of models::sentence_modules_of.
std::vector<std::string> module_folders(const std::filesystem::path& folder);

}  // namespace strata::modify
