// What a model may be called, and which file in the store that is.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace strata::models {

// "smollm2:135m", "smollm2" (= "smollm2:latest"), "me/smollm2:v1", "hf:OWNER/REPO:Q4_K_M".
struct ModelName {
  std::string name;  // without tag: "smollm2", "me/smollm2", "hf:OWNER/REPO"
  std::string tag;   // "135m", "latest"

  std::string full() const { return name + ":" + tag; }
  // Below the store's manifests folder; no two names share one.
  std::filesystem::path manifest_path() const;
  bool operator==(const ModelName&) const = default;
};

constexpr size_t kMaxNamePart = 96;  // bytes of one part; three parts and a tag stay a file name

// Parts are letters, digits, '.', '_' and '-', beginning with a letter or a digit; one or two
// before the tag, exactly two after "hf:". Error{invalid_argument} for everything else:
// "../x", absolute paths, empty parts, control characters.
ModelName parse_model_name(std::string_view text);

}  // namespace strata::models
