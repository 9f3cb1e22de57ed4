// The names of a split GGUF's files: "model-00001-of-00003.gguf".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace strata::models {

struct SplitName {
  std::string stem;  // before "-00001-of-00003.gguf"
  int part = 0;      // counts from 1
  int parts = 0;

  std::string file(int number) const;  // the name of another part
};

// nullopt for a name that is not of this form, or whose numbers make no sense.
std::optional<SplitName> parse_split_name(std::string_view file_name);

}  // namespace strata::models
