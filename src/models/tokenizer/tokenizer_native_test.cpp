// Compares tokenizer.model and tekken.json with the makers' own libraries, SentencePiece and
// mistral-common: ids and texts of 5,000 strings (testdata/native,
// tests/oracle/tokenizer_native.py).
#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "core/base64.h"
#include "core/error.h"
#include "core/testing/expect_error.h"
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
  const std::string_view name = subject.name;
  if (name == "tiktoken") return tokenizer_from_tiktoken(bytes, {}, 0);
  if (name.starts_with("tekken")) return tokenizer_from_tekken(bytes, {}, 0);
  return tokenizer_from_sentencepiece(bytes, {}, 0);
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
  const std::string_view name = GetParam().name;
  const bool marks = !name.starts_with("tekken") && name != "tiktoken";
  const auto tokenizer = read(GetParam(), bytes);
  for (uint32_t i = 0; i < testing::kTexts; ++i) {
    const std::string text = repair_utf8(testing::varied_text(i));
    if (marks && text.find("\u2581") != std::string::npos) continue;  // which means a space
    ASSERT_EQ(tokenizer->decode(tokenizer->encode_text(text)), text) << i;
  }
}

// As transformers places them: an id that nobody names is reserved, what is only listed comes last.
TEST(TiktokenFile, SpecialTokensStandBehindTheRanks) {
  std::string file;
  for (int byte = 0; byte < 256; ++byte) {
    const std::byte one{static_cast<uint8_t>(byte)};
    file += base64(std::span(&one, 1)) + fmt::format(" {}\n", byte);
  }
  TokenizerFiles files{};
  files.tokenizer_config =
      R"({"eos_token": "<end>", "additional_special_tokens": ["<turn>"],
          "added_tokens_decoder": {"258": {"content": "<end>"}}})";
  const auto facts = read_tokenizer_facts(files);
  EXPECT_TRUE(is_tiktoken(file));
  const auto tokenizer = tokenizer_from_tiktoken(file, facts, 0);
  EXPECT_EQ(tokenizer->n_vocab(), 260);
  EXPECT_EQ(tokenizer->eos(), 258);
  EXPECT_EQ(tokenizer->encode_trusted("a<end><turn>"), (std::vector<TokenId>{97, 258, 259}));
  EXPECT_EQ(tokenizer->piece(257, true), "<|reserved_token_257|>");
  EXPECT_EQ(tokenizer->encode_text("<end>").size(), 5u) << "untrusted text";
}

// SentencePiece's ids, one further, behind the roles that fairseq's dictionary begins with.
TEST(FairseqOrder, PiecesStandBehindItsRoles) {
  const std::string bytes = testing::read_file(kAnswers / "unigram.model");
  const auto plain = tokenizer_from_sentencepiece(bytes, {}, 0);
  TokenizerFacts facts;
  facts.fairseq_order = true;
  const auto moved = tokenizer_from_sentencepiece(bytes, facts, 0);
  EXPECT_EQ(moved->n_vocab(), plain->n_vocab() + 2);
  EXPECT_EQ(moved->bos(), 0);
  EXPECT_EQ(moved->eos(), 2);
  for (uint32_t i = 0; i < 500; ++i) {
    const std::string text = repair_utf8(testing::varied_text(i));
    std::vector<TokenId> wanted = plain->encode_text(text);
    for (TokenId& id : wanted) id = id == 0 ? 3 : id + 1;
    ASSERT_EQ(moved->encode_text(text), wanted) << i;
    EXPECT_EQ(moved->decode(wanted), plain->decode(plain->encode_text(text))) << i;
  }
  EXPECT_EQ(moved->encode_trusted("<mask>"), std::vector<TokenId>{moved->n_vocab() - 1});
  const Error other = strata::testing::error_of(
      [&] { tokenizer_from_sentencepiece(bytes, facts, plain->n_vocab() + 5); });
  EXPECT_NE(other.message().find("502 tokens, but the model has 505 rows"), std::string::npos)
      << other.message();
}

TEST(SentencePieceFile, TokensThatWereAddedStandBehindThePieces) {
  const std::string bytes = testing::read_file(kAnswers / "unigram.model");
  TokenizerFiles files{};
  files.tokenizer_config = R"({"added_tokens_decoder": {"2": {"content": "</s>"},
      "500": {"content": "<|im_start|>", "special": true},
      "502": {"content": "[pause]", "special": false}, "900": {"content": "<far>"}}})";
  const auto facts = read_tokenizer_facts(files);
  const auto tokenizer = tokenizer_from_sentencepiece(bytes, facts, 512);
  EXPECT_EQ(tokenizer->n_vocab(), 512);
  const auto trusted = tokenizer->encode_trusted("<|im_start|>a[pause]");
  EXPECT_EQ(trusted.front(), 500);
  EXPECT_EQ(trusted.back(), 502);
  EXPECT_EQ(tokenizer->encode_text("a[pause]").back(), 502);
  const auto untrusted = tokenizer->encode_text("<|im_start|>");
  EXPECT_EQ(std::ranges::count(untrusted, 500), 0);
  EXPECT_EQ(tokenizer->piece(500, true), "<|im_start|>");
}

TEST(SentencePieceFile, SentinelsAreCountedFromTheEnd) {
  const std::string bytes = testing::read_file(kAnswers / "unigram.model");
  TokenizerFiles files{};
  files.tokenizer_config = R"({"extra_ids": 10})";
  const auto tokenizer = tokenizer_from_sentencepiece(bytes, read_tokenizer_facts(files), 512);
  EXPECT_EQ(tokenizer->encode_trusted("<extra_id_0>").back(), 509);
  EXPECT_EQ(tokenizer->encode_trusted("<extra_id_9>").back(), 500);
  files.tokenizer_config = R"({"extra_ids": 1000000000})";
  EXPECT_THROW(read_tokenizer_facts(files), Error);
}

// Programs of before 2023 wrote them so.
TEST(SentencePieceFile, AddedTokensMayStandInAFileOfTheirOwn) {
  TokenizerFiles files{};
  files.added_tokens = R"({"<|im_end|>": 500, "pause": 501})";
  const auto facts = read_tokenizer_facts(files);
  const std::string bytes = testing::read_file(kAnswers / "unigram.model");
  const auto tokenizer = tokenizer_from_sentencepiece(bytes, facts, 512);
  EXPECT_EQ(tokenizer->encode_trusted("a<|im_end|>").back(), 500);
  EXPECT_EQ(tokenizer->encode_text("apause").back(), 501);
  files.added_tokens = R"({"a": "b"})";
  EXPECT_THROW(read_tokenizer_facts(files), Error);
}

// The pattern of folders that bring a program stands in it: one that is known, or none.
TEST(TiktokenFile, AProgramOfTheFoldersOwnHasThePattern) {
  const std::string bytes = testing::read_file(kAnswers / "tiktoken.model");
  TokenizerFacts facts;
  facts.program = "tokenization_kimi.TikTokenTokenizer";
  EXPECT_NE(read_tiktoken(bytes, facts, 0).pattern.find("Han"), std::string::npos);
  EXPECT_EQ(read_tiktoken(bytes, {}, 0).pattern.find("Han"), std::string::npos);
  TokenizerFiles files{};
  files.tokenizer_config = R"({"auto_map": {"AutoTokenizer": ["tokenization_own.Own", null]}})";
  facts = read_tokenizer_facts(files);
  const Error error = strata::testing::error_of([&] { read_tiktoken(bytes, facts, 0); });
  EXPECT_NE(error.message().find("'tokenization_own.Own'"), std::string::npos) << error.message();
}

TEST(TiktokenFile, WhatIsNoneIsRefusedByItsLine) {
  const Error error =
      strata::testing::error_of([] { tokenizer_from_tiktoken("YQ== 0\nYg 1x\n", {}, 0); });
  EXPECT_NE(error.message().find("line 2"), std::string::npos) << error.message();
  EXPECT_FALSE(is_tiktoken("\x0a\x0e\x0a\x05<unk>"));
  EXPECT_THROW(tokenizer_from_tiktoken("YQ== 0\nYg== 0\n", {}, 0), Error) << "a rank twice";
  EXPECT_THROW(tokenizer_from_tiktoken("YQ== 999999999999\n", {}, 0), Error);
}

constexpr Subject kSubjects[] = {
    {"unigram", nullptr},
    {"tiktoken", nullptr, true},
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
