// A text by a grammar's masks alone, each byte drawn from those that may follow: it finds places
// that nothing leads out of, which matching a given text does not.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "inference/constraint/grammar.h"

namespace strata::inference::testing {

struct RandomText {
  std::string text;
  bool ended = false;  // as a whole
  bool dead = false;   // no byte could follow; neither: it was cut off
};

// Blanks and escapes are passed by where there is anything else, and what closes is liked.
inline uint8_t draw_byte(std::mt19937& random, const std::vector<uint8_t>& allowed) {
  std::string others, closing;
  for (const uint8_t byte : allowed) {
    const char c = static_cast<char>(byte);
    if (c != ' ' && c != '\n' && c != '\\') others.push_back(c);
    if (c == '}' || c == ']' || (c == '"' && allowed.size() > 40)) closing.push_back(c);
  }
  if (!closing.empty() && random() % 3 == 0) others = closing;
  if (others.empty()) return allowed[random() % allowed.size()];
  return static_cast<uint8_t>(others[random() % others.size()]);
}

inline RandomText random_text(Grammar& grammar, uint32_t seed, size_t most_bytes = 4000) {
  std::mt19937 random(seed);
  RandomText made;
  Expressions& x = grammar.expressions;
  for (ExprId place = grammar.start; made.text.size() < most_bytes;) {
    x.allow(4'000'000);
    if (x.nullable(place)) made.ended = true;
    if (made.ended) break;
    std::vector<uint8_t> allowed;
    for (int byte = 0; byte < 127; ++byte) {
      const auto one = static_cast<uint8_t>(byte);
      if (x.derivative(place, one) != Expressions::kNothing) allowed.push_back(one);
    }
    made.dead = allowed.empty();
    if (made.dead) break;
    const uint8_t byte = draw_byte(random, allowed);
    place = x.derivative(place, byte);
    made.text.push_back(static_cast<char>(byte));
  }
  return made;
}

}  // namespace strata::inference::testing
