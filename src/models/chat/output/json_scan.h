// Finds where JSON values end in a text that is still growing, and the parts of a whole one,
// without changing how they are spelled.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::models {

enum class Match { no, more, yes };  // more: the text so far could still become one

// How far the object or list at text[at] goes by its brackets and quotes: yes, up to behind it;
// more, to the text's end; no, up to the first byte that it cannot have. Nesting beyond
// kMaxCallDepth is none.
struct JsonReach {
  Match match = Match::no;
  size_t end = 0;
};
JsonReach json_reach(std::string_view text, size_t at);

// Passes over the object or list at text[at]; `at` moves behind it only where it is whole.
Match skip_json(std::string_view text, size_t& at);

// The members of an object, the elements of a list: their values as they are spelled. Absent: the
// text is no valid JSON of that kind.
std::optional<std::vector<std::pair<std::string, std::string_view>>> json_members(
    std::string_view text);
std::optional<std::vector<std::string_view>> json_elements(std::string_view text);

// The text of a JSON string; absent: it is none.
std::optional<std::string> json_text(std::string_view text);

bool is_json_space(char c);
std::string_view trimmed(std::string_view text);

}  // namespace strata::models
