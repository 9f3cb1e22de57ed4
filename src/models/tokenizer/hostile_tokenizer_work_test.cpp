// tokenizer.json files that ask for more work than their bytes: refused, or done in time.
#include <gmock/gmock.h>

#include "core/testing/expect_error.h"
#include "models/tokenizer/testing/tiny_json.h"
#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

// A search through all spellings for each would be 10^10 comparisons.
TEST(HostileTokenizerWork, ManyAddedTokensOfManyPieces) {
  constexpr size_t kCount = 100'000;
  auto document = testing::tiny_json_unigram();
  auto& vocab = document["model"].as_object()["vocab"].as_array();
  auto& added = document["added_tokens"].as_array();
  const size_t first = vocab.size();
  for (size_t i = 0; i < kCount; ++i) {
    vocab.push_back(json::array{fmt::format("p{:06}", i), -5});
    added.push_back({{"id", first + kCount + i}, {"content", fmt::format("a{:06}", i)}});
  }
  const auto t = tokenizer_from_json(to_json(document), {}, 0);
  EXPECT_EQ(t->n_vocab(), static_cast<int32_t>(first + 2 * kCount));
  EXPECT_EQ(t->encode_trusted("a000007"),
            std::vector<TokenId>{static_cast<TokenId>(first + kCount + 7)});
}

}  // namespace
}  // namespace strata::models
