// Broken and hostile vocabularies: each gets a clear error.
#include <algorithm>
#include <limits>

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/tokenizer/testing/tiny_vocabularies.h"
#include "models/tokenizer/tokenizer_limits.h"
#include "models/tokenizer/vocabulary_tokenizer.h"

namespace strata::models {
namespace {

// The refusal of what the builder holds, or "accepted".
std::string refusal(const GgufBuilder& builder) {
  try {
    testing::open(builder);
    return "accepted";
  } catch (const Error& error) {
    return error.message();
  }
}

void expect_refused(const GgufBuilder& builder, std::string_view part) {
  const std::string message = refusal(builder);
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(HostileVocabulary, ByteTokensMustBeSpelledAsBytes) {
  for (const char* text : {"<0x-1>", "<0xZZ>", "<0x100>", "<0x>", "<0x1", "0x41", "", "<0x+1>"}) {
    auto builder = testing::tiny_sentencepiece();
    std::vector<std::string> tokens = {"<unk>", "<s>", "</s>", text};
    builder.set_texts("tokenizer.ggml.tokens", tokens);
    builder.set_i32s("tokenizer.ggml.token_type", {2, 3, 3, 6});
    builder.set_f32s("tokenizer.ggml.scores", {0, 0, 0, 0});
    expect_refused(builder, "byte token 3");
  }
}

TEST(HostileVocabulary, MergesMustNameTokens) {
  for (const char* merge : {"h zz", "zz h", "h", "", " ", "h ", "\xff\xff x", "o h"}) {
    auto builder = testing::tiny_bpe();
    builder.set_texts("tokenizer.ggml.merges", {"h e", merge});
    expect_refused(builder, "entry 1");
  }
  auto builder = testing::tiny_bpe();
  builder.remove("tokenizer.ggml.merges");
  expect_refused(builder, "tokenizer.ggml.merges");
}

TEST(HostileVocabulary, ArraysMustCoverAllTokens) {
  auto builder = testing::tiny_sentencepiece();
  builder.set_f32s("tokenizer.ggml.scores", {0, 1, 2});
  expect_refused(builder, "3 entries for 290 tokens");
  builder = testing::tiny_sentencepiece();
  builder.set_i32s("tokenizer.ggml.token_type", {1, 1});
  expect_refused(builder, "2 entries for 290 tokens");
  builder = testing::tiny_sentencepiece();
  builder.remove("tokenizer.ggml.scores");
  expect_refused(builder, "tokenizer.ggml.scores");
}

TEST(HostileVocabulary, KindsAndScoresMustMakeSense) {
  auto builder = testing::tiny_bpe();
  builder.set_i32s("tokenizer.ggml.token_type", std::vector<int32_t>(264, 7));
  expect_refused(builder, "unknown kind 7");
  builder.set_i32s("tokenizer.ggml.token_type", std::vector<int32_t>(264, -1));
  expect_refused(builder, "unknown kind");
  builder = testing::tiny_sentencepiece();
  auto scores = std::vector<float>(290, 0);
  scores[17] = std::numeric_limits<float>::quiet_NaN();
  builder.set_f32s("tokenizer.ggml.scores", scores);
  expect_refused(builder, "token 17");
  scores[17] = -std::numeric_limits<float>::infinity();
  builder.set_f32s("tokenizer.ggml.scores", scores);
  EXPECT_EQ(refusal(builder), "accepted");
}

TEST(HostileVocabulary, SpecialIdsMustBeTokens) {
  for (const char* key : {"bos", "eos", "unknown", "eot", "eom", "fim_pre", "suffix"}) {
    const std::string name = std::string("tokenizer.ggml.") + key + "_token_id";
    auto builder = testing::tiny_bpe();
    builder.set_u32(name, 264);
    expect_refused(builder, "264 is no token");
    builder.set_u64(name, 1ull << 40);
    expect_refused(builder, name);
    builder.set_i32(name, -2);
    expect_refused(builder, "-2 is no token");
    builder.set_u32(name, 0xFFFFFFFF);  // some writers' "none"
    EXPECT_EQ(refusal(builder), "accepted");
  }
}

TEST(HostileVocabulary, FurtherEndsMustBeTokens) {
  auto builder = testing::tiny_bpe();
  for (const int32_t id : {264, -1}) {
    builder.set_i32s("tokenizer.ggml.end_token_ids", {3, id});
    expect_refused(builder, fmt::format("tokenizer.ggml.end_token_ids: {} is no token", id));
  }
  builder.set_i32s("tokenizer.ggml.end_token_ids", {3});
  EXPECT_EQ(refusal(builder), "accepted");
}

TEST(HostileVocabulary, TokensMustDifferAndBeOfBoundedLength) {
  auto builder = testing::tiny_bpe();
  builder.set_texts("tokenizer.ggml.tokens", {"a", "b", "a"});
  builder.set_i32s("tokenizer.ggml.token_type", {1, 1, 1});
  expect_refused(builder, "tokens 0 and 2 are spelled alike");
  builder.set_texts("tokenizer.ggml.tokens", {"a", std::string(kMaxTokenBytes + 1, 'x'), "b"});
  expect_refused(builder, "token 1 has");
  builder.set_texts("tokenizer.ggml.tokens", {});
  expect_refused(builder, "no tokens");
  builder.remove("tokenizer.ggml.tokens");
  expect_refused(builder, "no tokens");
}

TEST(HostileVocabulary, UnknownKindsSayWhatIsKnown) {
  auto builder = testing::tiny_bpe();
  builder.set_text("tokenizer.ggml.pre", "no-such-thing");
  try {
    testing::open(builder);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::unimplemented);
    EXPECT_NE(error.hint().find("llama-bpe"), std::string::npos);
  }
  builder.set_text("tokenizer.ggml.model", "rwkv");
  try {
    testing::open(builder);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::unimplemented);
    EXPECT_NE(error.message().find("'rwkv'"), std::string::npos);
  }
  builder.remove("tokenizer.ggml.model");
  expect_refused(builder, "no vocabulary");
  builder.set_u32("tokenizer.ggml.model", 1);
  expect_refused(builder, "tokenizer.ggml.model");
}

TEST(HostileVocabulary, EmptyAndOverlappingSpecialTokens) {
  auto builder = testing::tiny_bpe();
  // Five control tokens that overlap each other, an empty one, and a prefix of another.
  builder.set_texts("tokenizer.ggml.tokens", {"a", "b", "", "ab", "ba", "aba", "abab", "bb"});
  builder.set_i32s("tokenizer.ggml.token_type", {1, 1, 3, 3, 3, 3, 3, 4});
  builder.set_texts("tokenizer.ggml.merges", {});
  builder.remove("tokenizer.ggml.bos_token_id");
  builder.remove("tokenizer.ggml.eos_token_id");
  const auto t = testing::open(builder);
  // The longest first, wherever it stands; then what is left, left to right.
  EXPECT_EQ(t->encode_trusted("bababab"), (std::vector<TokenId>{1, 6, 3}));
  EXPECT_EQ(t->encode_text("abab"), (std::vector<TokenId>{0, 1, 0, 1}));
  EXPECT_EQ(t->encode_text("abba"), (std::vector<TokenId>{0, 7, 0}));
}

TEST(VocabularyTables, FindWhatTheyHoldAndNothingElse) {
  std::vector<std::string> texts;
  for (uint64_t i = 0; i < 5000; ++i) texts.push_back(std::to_string(i * i * 7919));
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const TokenTable table(views);
  for (size_t i = 0; i < views.size(); ++i) {
    ASSERT_EQ(table.find(views[i]), static_cast<int32_t>(i));
    if (table.has_unique_tags()) {
      ASSERT_EQ(table.find_member(hash_bytes(views[i])), static_cast<int32_t>(i));
    }
    ASSERT_EQ(table.find(std::string(views[i]) + "x"), -1);
  }
  EXPECT_EQ(table.find(""), -1);
  EXPECT_EQ(TokenTable().find("a"), -1);
}

TEST(VocabularyTables, ShortTextsHaveDifferentHashes) {
  std::vector<uint64_t> hashes;
  for (int a = 0; a < 256; ++a) {
    hashes.push_back(hash_bytes(std::string(1, static_cast<char>(a))));
    for (int b = 0; b < 256; ++b) {
      hashes.push_back(hash_bytes(std::string{static_cast<char>(a), static_cast<char>(b)}));
      hashes.push_back(hash_bytes(std::string{'x', static_cast<char>(a), static_cast<char>(b)}));
    }
  }
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

}  // namespace
}  // namespace strata::models
