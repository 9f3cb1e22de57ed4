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

// Passes over the object or list at text[at] by its brackets and quotes alone; `at` moves behind it
// only where it is whole. Nesting beyond kMaxCallDepth is none.
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
