// vocab.txt is the tokenizer.json that a converter would make of it.
#include "models/tokenizer/tokenizer_word_list.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "core/json.h"
#include "core/testing/expect_error.h"
#include "models/tokenizer/testing/answers.h"
#include "models/tokenizer/testing/strings.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string json_of(const char* name) {
  return testing::read_file(STRATA_SOURCE_DIR "/src/models/tokenizer/testdata/json/" +
                            std::string(name));
}

// Lines as the converter's ids say.
std::string lines_of(const std::string& tokenizer_json, std::string_view end) {
  const json::value document = parse_json(tokenizer_json);
  const json::object& vocabulary = document.at("model").at("vocab").as_object();
  std::vector<std::string> words(vocabulary.size());
  for (const auto& [word, id] : vocabulary) words.at(static_cast<size_t>(id.as_int64())) = word;
  std::string lines;
  for (const std::string& word : words) lines += word + std::string(end);
  return lines;
}

TokenizerFacts facts_of(const char* tokenizer_config) {
  return read_tokenizer_facts({.tokenizer_config = tokenizer_config,
                               .special_tokens_map = {},
                               .added_tokens = {},
                               .generation_config = {},
                               .config = {}});
}

TEST(WordList, GivesTheIdsOfItsTokenizerJson) {
  const std::string json = json_of("bert.json");
  const auto wanted = tokenizer_from_json(json, {}, 0);
  for (const std::string_view end : {"\n", "\r\n"}) {
    const auto found = tokenizer_from_word_list(lines_of(json, end), {}, 0);
    ASSERT_EQ(found->n_vocab(), wanted->n_vocab());
    for (uint32_t i = 0; i < 1000; ++i) {
      const std::string text = testing::varied_text(i);
      const auto ids = found->encode_text(text);
      ASSERT_EQ(ids, wanted->encode_text(text)) << i;
      ASSERT_EQ(found->decode(ids), wanted->decode(ids)) << i;
    }
    EXPECT_EQ(found->bos(), wanted->bos());
    EXPECT_EQ(found->eos(), wanted->eos());
    EXPECT_EQ(found->encode_trusted("a[MASK]"), wanted->encode_trusted("a[MASK]"));
  }
}

TEST(WordList, IsReadAsTokenizerConfigSays) {
  const std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nA\n\u00e9\ne\n";
  const auto ids = [&](const char* settings, const char* text) {
    return tokenizer_from_word_list(lines, facts_of(settings), 0)->encode_text(text);
  };
  EXPECT_THAT(ids("{}", "A \u00e9"), ElementsAre(4, 7));
  EXPECT_THAT(ids(R"({"do_lower_case": false})", "A \u00e9"), ElementsAre(5, 6));
  EXPECT_THAT(ids(R"({"strip_accents": false})", "A \u00e9"), ElementsAre(4, 6));
}

TEST(WordList, IsRefusedWhereItIsNotAll) {
  const auto refusal = [](std::string_view text, const char* settings) {
    return error_of([&] { tokenizer_from_word_list(text, facts_of(settings), 0); }).message();
  };
  EXPECT_THAT(refusal("<s> 1\n</s> 2\n", "{}"), HasSubstr("vocab.txt: it has no '[CLS]'"));
  const std::string lines = lines_of(json_of("bert.json"), "\n");
  EXPECT_THAT(refusal(lines, R"({"word_tokenizer_type": "mecab"})"),
              HasSubstr("words are cut by 'mecab' first"));
  EXPECT_THAT(refusal(lines, R"({"do_lower_case": 3})"), HasSubstr("do_lower_case"));
}

}  // namespace
}  // namespace strata::models
