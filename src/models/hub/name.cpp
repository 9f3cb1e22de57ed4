#include "models/hub/name.h"

#include <algorithm>
#include <vector>

#include "core/ascii.h"
#include "core/error.h"

namespace strata::models {
namespace {

bool is_part(std::string_view text) {
  const auto word = [](char c) { return is_ascii_alnum(c); };
  return !text.empty() && text.size() <= kMaxNamePart && word(text.front()) &&
         std::ranges::all_of(text,
                             [&](char c) { return word(c) || c == '.' || c == '_' || c == '-'; });
}

[[noreturn]] void refuse(std::string_view text) {
  throw Error(Code::invalid_argument,
              fmt::format("'{}' is no model name", std::string(text.substr(0, 100))),
              "names look like smollm2:135m, me/smollm2:v1 or hf:OWNER/REPO:Q4_K_M");
}

}  // namespace

ModelName parse_model_name(std::string_view text) {
  std::string_view rest = text;
  const bool from_hf = rest.starts_with("hf:");
  if (from_hf) rest.remove_prefix(3);
  ModelName out;
  out.tag = "latest";
  const size_t colon = rest.find(':');
  if (colon != std::string_view::npos) {
    out.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  const size_t slash = rest.find('/');
  const std::string_view first = rest.substr(0, slash);
  const bool two = slash != std::string_view::npos;
  if (!is_part(first) || !is_part(out.tag) || (two && !is_part(rest.substr(slash + 1))) ||
      (from_hf && !two)) {
    refuse(text);
  }
  out.name = (from_hf ? "hf:" : "") + std::string(rest);
  return out;
}

// '=' and '+' stand in no part, so that no two names meet in one folder.
std::filesystem::path ModelName::manifest_path() const {
  std::string folder = name;
  if (folder.starts_with("hf:")) folder[2] = '=';
  std::ranges::replace(folder, '/', '+');
  return std::filesystem::path(folder) / (tag + ".json");
}

}  // namespace strata::models
