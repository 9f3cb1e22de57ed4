// Which names a chat template reads: what a request may say to it.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace strata::models {

// All names in its statements and expressions but attributes, its own variables among them; empty
// for a source that is no template.
std::set<std::string> names_of_template(std::string_view source);

}  // namespace strata::models
