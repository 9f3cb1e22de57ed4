// Whether digits can follow that make a number a multiple of k: by arithmetic, since a search would
// look at every remainder of k.
#include <numeric>

#include "inference/constraint/expression.h"
#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

constexpr int32_t kDigitSteps = 4096;  // bounds take some hundreds, the opposite of a multiple all

int64_t power_of_ten(int32_t n) {
  int64_t power = 1;
  for (int32_t i = 0; i < n; ++i) power *= 10;
  return power;
}

// The least number D with (rest * 10^n + D) % k == 0.
int64_t missing_to_multiple(int64_t k, int64_t rest, int32_t n) {
  for (int32_t i = 0; i < n; ++i) rest = rest * 10 % k;
  return (k - rest) % k;
}

constexpr uint8_t digit(int i) {
  return static_cast<uint8_t>('0' + i);
}

}  // namespace

// The multiple among the parts of all_of, and the other parts together. nullopt: there is none, or
// two, or its point was read.
std::optional<Expressions::NumberParts> Expressions::number_parts(ExprId id) {
  const Expr e = at(id);
  if (e.op != Op::all_of) return std::nullopt;
  std::optional<Multiple> found;
  std::vector<ExprId> others;
  const std::vector<ExprId> parts(list(e).begin(), list(e).end());
  for (const ExprId part : parts) {
    if (at(part).op != Op::multiple) {
      others.push_back(part);
    } else if (found) {
      return std::nullopt;
    } else {
      found = number(at(part));
    }
  }
  if (!found || found->behind >= 0) return std::nullopt;
  // x * 10^digits is a multiple of k where x is one of this.
  const int64_t k = found->k / std::gcd(found->k, power_of_ten(found->digits));
  return NumberParts{all_of(others), k, found->rest % k, found->digits > 0};
}

// What is known of the texts of n digits.
Expressions::DigitTexts Expressions::digit_texts(ExprId id, int32_t n) {
  if (id == kNothing) return {.none = true, .all = false, .point = false};
  if (n == 0) {
    const bool ends = nullable(id);
    return {.none = !ends, .all = ends, .point = find_derivative(id, '.') != kNothing};
  }
  const auto known = digit_texts_.find({id, n});
  if (known != digit_texts_.end()) return known->second;
  if (--digit_steps_ < 0) return {.none = false, .all = false, .point = true};
  DigitTexts found{.none = true, .all = true, .point = false};
  for (int i = 0; i < 10; ++i) {
    const DigitTexts behind = digit_texts(find_derivative(id, digit(i)), n - 1);
    found.none = found.none && behind.none;
    found.all = found.all && behind.all;
    found.point = found.point || behind.point;
  }
  if (digit_steps_ < 0) return found;  // not whole
  if (digit_texts_.size() >= kMaxSearched) digit_texts_.clear();
  digit_texts_.emplace(std::pair{id, n}, found);
  return found;
}

bool Expressions::reaches_multiple(const NumberParts& parts, int32_t n) {
  if (--digit_steps_ < 0) return false;
  const DigitTexts texts = digit_texts(parts.others, n);
  if (texts.none) return false;
  const int64_t missing = missing_to_multiple(parts.k, parts.rest, n);
  constexpr int32_t kEnough = 10;  // digits: k has less
  if (texts.all) return n >= kEnough || missing < power_of_ten(n);
  for (int i = 0; i < 10; ++i) {
    const ExprId next = find_derivative(parts.others, digit(i));
    const int64_t rest = (parts.rest * 10 + i) % parts.k;
    if (reaches_multiple({next, parts.k, rest, parts.fractions}, n - 1)) return true;
  }
  return false;
}

std::optional<bool> Expressions::multiple_can_follow(ExprId id) {
  // Where one was too much, as beside the opposite of a multiple, others are.
  if (multiples_.size() == 0 || digit_steps_ < 0) return std::nullopt;
  const auto parts = number_parts(id);
  if (!parts) return std::nullopt;
  // Behind a point only zeros can follow, which change no number, or there are more multiples.
  bool decided = true;
  digit_steps_ = kDigitSteps;
  for (int32_t n = 0; n <= kMostDigits; ++n) {
    if (reaches_multiple(*parts, n)) return true;
    decided = decided && !(parts->fractions && digit_texts(parts->others, n).point);
  }
  return decided && digit_steps_ >= 0 ? std::optional(false) : std::nullopt;
}

}  // namespace strata::inference
