// Compares tokenizer.model and tekken.json with the makers' own libraries, SentencePiece and
// mistral-common: ids and texts of 5,000 strings (testdata/native,
// tests/oracle/tokenizer_native.py).
#include <filesystem>

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

using testing::Answer;
using testing::AnswerHash;
using testing::kBlock;

const std::filesystem::path kAnswers =
    std::filesystem::path(STRATA_SOURCE_DIR) / "src/models/tokenizer/testdata/native";

struct Subject {
  const char* name;
  const char* file;    // in the test-data folder; null: our own
  bool exact = false;  // gives back every valid text
};

std::string file_of(const Subject& subject) {
  if (subject.file == nullptr) {
    return testing::read_file(kAnswers / fmt::format("{}.model", subject.name));
  }
  const auto found = strata::testing::find_test_data(subject.file);
  return found ? testing::read_file(*found) : std::string();
}

std::shared_ptr<const Tokenizer> read(const Subject& subject, const std::string& bytes) {
  const bool ranks = std::string_view(subject.name).starts_with("tekken");
  return ranks ? tokenizer_from_tekken(bytes, {}, 0) : tokenizer_from_sentencepiece(bytes, {}, 0);
}

class NativeTokenizer : public ::testing::TestWithParam<Subject> {};

TEST_P(NativeTokenizer, GivesTheLibrarysIdsAndTexts) {
  const std::string bytes = file_of(GetParam());
  ASSERT_FALSE(bytes.empty()) << GetParam().file << " was not fetched (tests/oracle/fetch)";
  const auto tokenizer = read(GetParam(), bytes);
  uint32_t first = 0;
  for (const Answer& answer :
       testing::read_answers(kAnswers / fmt::format("{}.txt", GetParam().name), 2)) {
    AnswerHash ids_hash, text_hash;
    for (uint32_t i = first; i < first + kBlock; ++i) {
      const std::string text = repair_utf8(testing::varied_text(i));
      const auto ids = tokenizer->encode_text(text);
      if (i == first && !answer.plain_ids.empty()) {
        ASSERT_EQ(ids, answer.plain_ids) << i << text;
      }
      ids_hash.add(ids);
      text_hash.add_bytes(repair_utf8(tokenizer->decode(ids)));
    }
    ASSERT_EQ(ids_hash.value(), answer.hashes[0]) << "ids of texts from " << first;
    ASSERT_EQ(text_hash.value(), answer.hashes[1]) << "decoded texts from " << first;
    first += kBlock;
  }
}

TEST_P(NativeTokenizer, TextComesBackWhereThatIsPromised) {
  const std::string bytes = file_of(GetParam());
  ASSERT_FALSE(bytes.empty()) << GetParam().file << " was not fetched (tests/oracle/fetch)";
  if (!GetParam().exact) GTEST_SKIP() << "nothing is promised of its texts";
  const bool marks = !std::string_view(GetParam().name).starts_with("tekken");
  const auto tokenizer = read(GetParam(), bytes);
  for (uint32_t i = 0; i < testing::kTexts; ++i) {
    const std::string text = repair_utf8(testing::varied_text(i));
    if (marks && text.find("\u2581") != std::string::npos) continue;  // which means a space
    ASSERT_EQ(tokenizer->decode(tokenizer->encode_text(text)), text) << i;
  }
}

constexpr Subject kSubjects[] = {
    {"unigram", nullptr},
    {"mistral_v1", "mistral-common/tokenizer.model.v1", true},
    {"mistral_v3", "mistral-common/mistral_instruct_tokenizer_240323.model.v3", true},
    {"mistral_v7", "mistral-common/mistral_instruct_tokenizer_241114.model.v7", true},
    {"tekken_240718", "mistral-common/tekken_240718.json", true},
    {"tekken_240911", "mistral-common/tekken_240911.json", true},
};

INSTANTIATE_TEST_SUITE_P(Libraries, NativeTokenizer, ::testing::ValuesIn(kSubjects),
                         [](const auto& entry) { return std::string(entry.param.name); });

}  // namespace
}  // namespace strata::models
