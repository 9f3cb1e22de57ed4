// Random regular expressions match the texts that their definition says, have no text where they
// are nothing, and begin with no other bytes than they say.
#include "inference/constraint/expression.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata::inference {
namespace {

constexpr std::string_view kLetters = "abc";
constexpr size_t kLongest = 5;

// Every text of the letters up to a length.
std::vector<std::string> all_texts() {
  std::vector<std::string> texts{""};
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() == kLongest) break;
    for (const char c : kLetters) texts.push_back(texts[i] + c);
  }
  return texts;
}

const std::vector<std::string>& texts() {
  static const std::vector<std::string> made = all_texts();
  return made;
}

using Language = std::vector<bool>;  // of texts()

Language language_of(const auto& has) {
  Language made;
  for (const std::string& text : texts()) made.push_back(has(text));
  return made;
}

bool has(const Language& language, std::string_view text) {
  size_t at = 0;  // those behind one by each letter stand together
  for (const char c : text) at = at * kLetters.size() + 1 + kLetters.find(c);
  return language[at];
}

Language joined(const Language& a, const Language& b) {
  return language_of([&](std::string_view text) {
    for (size_t n = 0; n <= text.size(); ++n) {
      if (has(a, text.substr(0, n)) && has(b, text.substr(n))) return true;
    }
    return false;
  });
}

struct Regular {
  ExprId id = 0;
  Language language;
};

class Generator {
 public:
  Generator(Expressions& x, uint32_t seed) : x_(x), random_(seed) {}

  Regular make(int depth) {
    const auto kind = depth == 0 ? 0 : random_() % 7;
    if (kind == 0) return bytes();
    Regular a = make(depth - 1);
    if (kind == 1) {
      a.language.flip();
      return {x_.none_of(a.id), a.language};
    }
    if (kind == 2) return repeated(a);
    const Regular b = make(depth - 1);
    if (kind == 3) return sequence(a, b);
    // Lengths that one may have in the other.
    if (kind == 6) return all_of(sequence(repeated(a), b), sequence(repeated(a), b));
    if (kind == 5) return all_of(a, b);
    Language both = a.language;
    for (size_t i = 0; i < both.size(); ++i) {
      both[i] = both[i] || b.language[i];
    }
    return {x_.any_of({a.id, b.id}), both};
  }

 private:
  Regular bytes() {
    ByteSet set;
    for (const char c : kLetters) {
      if (random_() % 2 == 0) set.add(static_cast<uint8_t>(c));
    }
    return {x_.bytes(set), language_of([&](std::string_view text) {
              return text.size() == 1 && set.has(static_cast<uint8_t>(text[0]));
            })};
  }
  Regular sequence(const Regular& a, const Regular& b) {
    return {x_.sequence(a.id, b.id), joined(a.language, b.language)};
  }
  Regular all_of(const Regular& a, const Regular& b) {
    Language both = a.language;
    for (size_t i = 0; i < both.size(); ++i) both[i] = both[i] && b.language[i];
    return {x_.all_of({a.id, b.id}), both};
  }
  Regular repeated(const Regular& a) {
    const auto least = static_cast<int32_t>(random_() % 3);
    const int32_t most = random_() % 2 == 0 ? -1 : least + static_cast<int32_t>(random_() % 2);
    const Language empty = language_of([](std::string_view text) { return text.empty(); });
    Language once = empty;
    for (int32_t i = 0; i < least; ++i) once = joined(once, a.language);
    Language all = once;
    const int32_t more = most < 0 ? static_cast<int32_t>(kLongest) : most - least;
    for (int32_t i = 0; i < more; ++i) {
      once = joined(once, a.language);
      for (size_t t = 0; t < all.size(); ++t) all[t] = all[t] || once[t];
    }
    return {x_.repeat(a.id, least, most), all};
  }

  Expressions& x_;
  std::mt19937 random_;
};

TEST(Expressions, CountEachDifferentSetAndMultipleAsAStep) {
  Expressions x;
  const auto digits = [](uint8_t last) { return ByteSet::of('0', last); };
  const ExprId known = x.bytes(digits('9'));
  x.allow(2);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(x.bytes(digits('9')), known);
  const ExprId set = x.bytes(digits('8'));
  const ExprId multiple = x.multiple({.k = 3});
  EXPECT_EQ(x.bytes(digits('8')), set);
  EXPECT_EQ(x.multiple({.k = 3}), multiple);
  EXPECT_THROW(x.bytes(digits('7')), Error);
}

TEST(Expressions, MatchWhatTheyAreDefinedAs) {
  int n_nothing = 0;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Expressions x;
    const Regular made = Generator(x, seed).make(4);
    const bool any = std::ranges::find(made.language, true) != made.language.end();
    ASSERT_TRUE(!any || made.id != Expressions::kNothing) << seed;
    n_nothing += made.id == Expressions::kNothing ? 1 : 0;
    for (const bool sealed : {false, true}) {
      if (sealed) x.seal();
      for (size_t i = 0; i < texts().size(); ++i) {
        ASSERT_EQ(x.matches(made.id, texts()[i]), made.language[i])
            << "seed " << seed << ", text " << texts()[i] << ", sealed " << sealed;
      }
    }
    for (const std::string& text : texts()) {
      ExprId place = made.id;
      for (const char c : text) place = x.derivative(place, static_cast<uint8_t>(c));
      const ByteSet first = x.first_bytes(place);
      for (const char c : std::string_view("abcd")) {
        const auto byte = static_cast<uint8_t>(c);
        ASSERT_TRUE(first.has(byte) || x.derivative(place, byte) == Expressions::kNothing) << seed;
      }
    }
  }
  EXPECT_GT(n_nothing, 5);
  EXPECT_LT(n_nothing, 150);
}

TEST(Expressions, ForgetDerivativesOfProofsBeyondALimit) {
  Expressions x;
  size_t most = 0;
  for (int64_t k = 4000; k < 4004; ++k) {
    const ExprId multiple = x.multiple({.k = k});
    x.allow(kCompileSteps);
    ASSERT_EQ(x.all_of({multiple, x.none_of(multiple)}), Expressions::kNothing);
    most = std::max(most, x.n_remembered());
  }
  EXPECT_GT(most, kMaxSearched / 2);
  EXPECT_LE(most, kMaxSearched);
}

}  // namespace
}  // namespace strata::inference
