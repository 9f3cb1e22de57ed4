// Compares vocab.txt, and vocab.json with merges.txt, with what transformers makes of such folders:
// ids of 5,000 texts (testdata/older, tests/oracle/older_tokenizers.py).
#include "models/tokenizer/older_tokenizer.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/expect_error.h"
#include "core/utf8.h"
#include "models/tokenizer/testing/answers.h"
#include "models/tokenizer/testing/strings.h"
#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {
namespace {

using strata::testing::error_of;

const std::filesystem::path kFolders =
    std::filesystem::path(STRATA_SOURCE_DIR) / "src/models/tokenizer/testdata/older";

std::shared_ptr<const Tokenizer> tokenizer_in(const std::filesystem::path& folder) {
  const auto text = [&](const char* name) {
    return std::filesystem::exists(folder / name) ? testing::read_file(folder / name) : "";
  };
  const std::string settings = text("tokenizer_config.json");
  const std::string specials = text("special_tokens_map.json");
  const std::string added = text("added_tokens.json"), config = text("config.json");
  TokenizerFiles beside{.tokenizer_config = settings,
                        .special_tokens_map = specials,
                        .added_tokens = added,
                        .generation_config = {},
                        .config = config};
  const std::string words = text("vocab.txt");
  const std::string json =
      words.empty() ? tokenizer_json_of_merges(text("vocab.json"), text("merges.txt"), beside)
                    : tokenizer_json_of_words(words, beside);
  beside.added_tokens = {};  // which the json says
  return tokenizer_from_json(json, read_tokenizer_facts(beside), 0);
}

class OlderTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(OlderTokenizer, GivesTransformersIds) {
  const std::string name = GetParam();
  const auto tokenizer = tokenizer_in(kFolders / name);
  uint32_t first = 0;
  for (const testing::Answer& answer : testing::read_answers(kFolders / (name + ".txt"), 1)) {
    testing::AnswerHash hash;
    for (uint32_t i = first; i < first + testing::kBlock; ++i) {
      const std::string text = repair_utf8(testing::varied_text(i));
      const auto ids = tokenizer->encode_trusted(text);
      if (i == first && !answer.plain_ids.empty()) {
        ASSERT_EQ(tokenizer->with_bos_eos(ids), answer.plain_ids) << i << ": " << text;
      }
      hash.add(ids);
    }
    ASSERT_EQ(hash.value(), answer.hashes[0]) << "texts from " << first;
    first += testing::kBlock;
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, OlderTokenizer,
                         ::testing::Values("words", "words_cased", "plain", "spaced", "wraps",
                                           "composes"),
                         [](const auto& entry) { return std::string(entry.param); });

void expect_refused(const char* words, const char* vocab, const char* merges,
                    const TokenizerFiles& beside, const char* why) {
  const Error error = error_of([&] {
    const std::string json = words != nullptr ? tokenizer_json_of_words(words, beside)
                                              : tokenizer_json_of_merges(vocab, merges, beside);
    tokenizer_from_json(json, {}, 0);
  });
  EXPECT_NE(error.message().find(why), std::string::npos) << error.message();
}

TEST(OlderTokenizerHostile, NamesFileAndField) {
  const auto config = [](std::string_view text) { return TokenizerFiles{{}, {}, {}, {}, text}; };
  const auto settings = [](std::string_view text) {
    return TokenizerFiles{text, {}, {}, {}, R"({"model_type": "gpt2"})"};
  };
  const TokenizerFiles plain = settings("");
  const char* words = "[UNK]\n[CLS]\n[SEP]\n";
  expect_refused("[PAD]\n[UNK]\n", nullptr, nullptr, {}, "no token '[CLS]'");
  expect_refused(words, nullptr, nullptr, settings(R"({"tokenizer_class": "CamelTokenizer"})"),
                 "'CamelTokenizer'");
  expect_refused(words, nullptr, nullptr, settings(R"({"do_lower_case": 1})"), "do_lower_case");
  expect_refused(words, nullptr, nullptr, settings(R"({"word_tokenizer_type": "mecab"})"),
                 "cut by 'mecab' first");
  expect_refused(nullptr, "{\"a\": 0}", "a b\n", config(R"({"model_type": "camel"})"), "'camel'");
  expect_refused(nullptr, "[1]", "", plain, "vocab.json");
  expect_refused(nullptr, R"({"a": "0"})", "", plain, "vocab.json.a");
  expect_refused(nullptr, R"({"a": 0, "b": 1})", "a b\n", plain, "merges");
  expect_refused(nullptr, R"({"a": 0})", "one\n", plain, "merges");
  expect_refused(nullptr, R"({"a": -1})", "", plain, "vocab");
  TokenizerFiles added = plain;
  added.added_tokens = R"({"x": "y"})";
  expect_refused(nullptr, R"({"a": 0})", "", added, "added_tokens.json.x");
  expect_refused(nullptr, R"({"a": 0})", "",
                 settings(R"({"added_tokens_decoder": {"one": {"content": "x"}}})"),
                 "added_tokens_decoder.one");
}

}  // namespace
}  // namespace strata::models
