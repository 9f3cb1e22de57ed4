// Sets of Unicode code points, and what they look like in UTF-8 and in JSON strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/constraint/expression.h"

namespace strata::inference {

// Ranges, ascending, apart from each other; surrogates are never in it.
class CodePoints {
 public:
  CodePoints() = default;
  CodePoints(std::initializer_list<std::pair<char32_t, char32_t>> ranges);

  void add(char32_t first, char32_t last);
  void add(const CodePoints& other);
  void add_other_case();  // of the letters of ASCII
  CodePoints inverted() const;
  CodePoints both(const CodePoints& other) const;
  bool empty() const { return ranges_.empty(); }
  bool has(char32_t c) const;
  const std::vector<std::pair<char32_t, char32_t>>& ranges() const { return ranges_; }

 private:
  std::vector<std::pair<char32_t, char32_t>> ranges_;
};

// How a character of a text is written.
enum class Spelling {
  plain,  // UTF-8
  json,   // inside a JSON string: as it is, or where JSON wants it escaped, in the shortest way
  single  // the same inside single quotes, as Python writes it
};

// Of Unicode's general categories those of one letter (L, M, N, P, S), by letter or name.
std::optional<CodePoints> code_points_of_category(std::string_view name);

ExprId one_of(Expressions& x, const CodePoints& set, Spelling spelling);
// The text as it is spelled; invalid UTF-8 becomes U+FFFD.
std::string spell(std::string_view text, Spelling spelling);

}  // namespace strata::inference
