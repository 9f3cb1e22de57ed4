// Where variables stand in a text: {{name}}, with or without spaces inside. Other braces are text.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::api {

// A letter or _, then letters, digits or _; at most 64 bytes.
bool is_variable_name(std::string_view name);
// In the order in which they first stand there, each once.
std::vector<std::string> placeholders(std::string_view text);
std::string fill(std::string_view text,
                 const std::function<std::string(std::string_view name)>& value_of);

}  // namespace strata::api
