// Oniguruma's patterns as PCRE2 reads them, against what the `tokenizers` library (0.23.3) finds:
// Split(Regex(pattern), "removed", invert=True).pre_tokenize_str(text), its pieces joined.
#include "models/tokenizer/pipeline/regex_dialect.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/tokenizer/split_regex.h"

namespace strata::models {
namespace {

constexpr std::string_view kText = "aAbBcCdD k\u212aK\u017fsS\n1\u00e9-&]";

std::string found(std::string_view pattern) {
  const SplitRegex regex(pcre_from_ruby(pattern), Anchors::line);
  RegexBudget budget(kText.size());
  SplitRegex::Search search(regex, budget);
  search.start(kText);
  std::string out;
  for (size_t begin = 0, end = 0; search.next(begin, end);) out += kText.substr(begin, end - begin);
  return out;
}

TEST(RegexDialect, IntersectionsOfClasses) {
  EXPECT_EQ(found(R"([a-d&&[bc]])"), "bc");
  EXPECT_EQ(found(R"([a-d&&[^bc]&&[^d]])"), "a");
  EXPECT_EQ(found(R"([a-&&[-a]])"), "a-");
  // What is negated is the intersection.
  EXPECT_EQ(found(R"([^a&&[b]])"), kText);
  EXPECT_EQ(found(R"([^ab&&[bc]])"), "aABcCdD k\u212aK\u017fsS\n1\u00e9-&]");
  EXPECT_EQ(found(R"([^\p{Lu}&&[^A]])"), "aAbcd k\u017fs\n1\u00e9-&]");
  EXPECT_EQ(found(R"([^a-d&&[^bc]])"), "AbBcCD k\u212aK\u017fsS\n1\u00e9-&]");
  EXPECT_EQ(found(R"([^a-dA-D&&[^b]&&[^B]])"), "bB k\u212aK\u017fsS\n1\u00e9-&]");
  EXPECT_EQ(found(R"((?i:k)|[a-d&&[bc]])"), "bck\u212aK");
}

// [abc&&[b]c] is abc AND (b OR c) there. In any case \p{L}&&[^k] finds k, since its other forms are
// in the set.
TEST(RegexDialect, WhatMayMeanAnotherIsRefused) {
  for (const char* pattern :
       {R"([abc&&[b]c])", R"([a-d&&[b][c]])", R"([a-d&&[b]&&c])", R"([a-d&&bc])", R"([&&[b]])",
        R"([^&&[b]])", R"([a&&])", R"([a[b]])", R"((?i:[\p{L}&&[^k]]))", R"((?i)[a-d&&[^b]])",
        R"((?i:a(b)[a-d&&[^b]]))", R"((?i:(?-i:a)[a-d&&[^b]]))", R"(((?i)a[a-d&&[^b]]))"}) {
    EXPECT_THROW(pcre_from_ruby(pattern), Error) << pattern;
  }
  for (const char* pattern : {R"((?i:a)[a-d&&[^b]])", R"((?i:(?-i:[a-d&&[^b]])))",
                              R"(((?i)a)[a-d&&[^b]])", R"((?i:[)])[a-d&&[^b]])"}) {
    EXPECT_NO_THROW(pcre_from_ruby(pattern)) << pattern;
  }
}

}  // namespace
}  // namespace strata::models
