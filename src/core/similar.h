// "Did you mean": the candidates nearest to a misspelt word.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment), by byte.
size_t edit_distance(std::string_view a, std::string_view b);

// At most three, nearest first: within a third of the word's length (at least one edit), or
// beginning with the word. Case does not count.
std::vector<std::string> similar_to(std::string_view word, std::span<const std::string> candidates);

// "did you mean 'pull'?", "did you mean 'a' or 'b'?", or "" when nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace strata
