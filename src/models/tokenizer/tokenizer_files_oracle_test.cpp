// Compares our ids and texts with those of SentencePiece and of Mistral's own tokenizer, on files
// that Mistral publishes.
#include <algorithm>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/test_data.h"
#include "core/utf8.h"
#include "models/tokenizer/testing/answers.h"
#include "models/tokenizer/testing/strings.h"
#include "models/tokenizer/tokenizer_ranks.h"
#include "models/tokenizer/tokenizer_sentencepiece.h"

namespace strata::models {
namespace {

using testing::AnswerHash;
using testing::kBlock;

const std::filesystem::path kAnswers =
    std::filesystem::path(STRATA_SOURCE_DIR) / "src/models/tokenizer/testdata/files";

using Make = std::shared_ptr<const Tokenizer> (*)(std::string_view file,
                                                  const TokenizerFacts& facts, int32_t n_vocab);
struct Subject {
  const char* name;
  const char* file;
  Make make;
};

class TokenizerFile : public ::testing::TestWithParam<Subject> {};

TEST_P(TokenizerFile, GivesTheIdsOfItsOwnLibrary) {
  const Subject& subject = GetParam();
  const auto found = strata::testing::find_test_data(subject.file);
  if (!found) GTEST_SKIP() << subject.file << " was not fetched (tests/oracle/fetch)";
  const auto tokenizer = subject.make(testing::read_file(*found), {}, 0);
  uint32_t first = 0;
  for (const auto& answer :
       testing::read_answers(kAnswers / fmt::format("{}.txt", subject.name), 2)) {
    AnswerHash plain, decoded;
    for (uint32_t i = first; i < first + kBlock; ++i) {
      const std::string text = repair_utf8(testing::varied_text(i));
      const auto ids = tokenizer->encode_text(text);
      if (i == first && !answer.plain_ids.empty()) {
        ASSERT_EQ(ids, answer.plain_ids) << "text " << i << ": " << text;
      }
      plain.add(ids);
      decoded.add_bytes(repair_utf8(tokenizer->decode(ids)));
    }
    ASSERT_EQ(plain.value(), answer.hashes[0]) << "texts from " << first;
    ASSERT_EQ(decoded.value(), answer.hashes[1]) << "texts from " << first;
    first += kBlock;
  }
}

constexpr Subject kSubjects[] = {
    {"mistral-v1", "mistral-common/tokenizer.model.v1", tokenizer_from_sentencepiece},
    {"mistral-v3", "mistral-common/mistral_instruct_tokenizer_240323.model.v3",
     tokenizer_from_sentencepiece},
    {"tekken", "mistral-common/tekken_240718.json", tokenizer_from_tekken},
};

std::string name_of(const ::testing::TestParamInfo<Subject>& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(OfMistral, TokenizerFile, ::testing::ValuesIn(kSubjects), name_of);

}  // namespace
}  // namespace strata::models
