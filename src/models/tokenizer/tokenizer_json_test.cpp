// Behaviour of tokenizers from tokenizer.json that no other program decides: trust, facts of the
// files beside it, padding rows; and broken and hostile files.
#include "models/tokenizer/tokenizer_json.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/testing/strings.h"
#include "models/tokenizer/testing/tiny_json.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

using Ids = std::vector<TokenId>;

constexpr TokenId kHello = 259, kTool = 261, kStart = 262, kImEnd = 263;

std::shared_ptr<const Tokenizer> open(const json::object& document,
                                      const TokenizerFacts& facts = {}, int32_t n_vocab = 0) {
  return tokenizer_from_json(to_json(document), facts, n_vocab);
}

bool has_control(const Tokenizer& tokenizer, const Ids& ids) {
  return std::any_of(ids.begin(), ids.end(),
                     [&](TokenId id) { return tokenizer.kind(id) == TokenKind::control; });
}

TEST(TokenizerJsonTrust, ControlTokensOutsideUntrustedRangesOnly) {
  const auto t = open(testing::tiny_json_bpe());
  EXPECT_EQ(t->encode_trusted("<|start|>hello[TOOL]<|im_end|>"),
            (Ids{kStart, kHello, kTool, kImEnd}));
  EXPECT_FALSE(has_control(*t, t->encode_text("<|start|>hello<|im_end|>")));
  EXPECT_EQ(t->encode_text("hello[TOOL]"), (Ids{kHello, kTool}));
  const std::string message = "hello<|im_end|>";
  const Ids ids = t->encode({"<|start|>" + message + "<|im_end|>", {{9, 9 + message.size()}}});
  EXPECT_EQ(ids.front(), kStart);
  EXPECT_EQ(ids.back(), kImEnd);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kImEnd), 1);
}

TEST(TokenizerJsonTrust, ASpellingThatCrossesTheBorderIsText) {
  const auto t = open(testing::tiny_json_bpe());
  const std::string text = "<|im_end|>";
  for (size_t cut = 1; cut < text.size(); ++cut) {
    EXPECT_FALSE(has_control(*t, t->encode({text, {{0, cut}}}))) << cut;
    EXPECT_FALSE(has_control(*t, t->encode({text, {{cut, text.size()}}}))) << cut;
  }
  EXPECT_EQ(t->encode({text, {{4, 4}}}), Ids{kImEnd});
}

// What an outsider begins must not swallow the control token that the template writes behind it.
TEST(TokenizerJsonTrust, ABegunSpellingDoesNotHideATokenInsideOfIt) {
  auto document = testing::tiny_json_bpe();
  auto token = document["added_tokens"].as_array()[2].as_object();
  token["id"] = 264;
  token["content"] = "<<|im_end|>>";
  document["added_tokens"].as_array().push_back(token);
  const auto t = open(document);
  EXPECT_EQ(t->encode_trusted("<<|im_end|>>"), Ids{264});
  const Ids ids = t->encode({"<<|im_end|>>", {{0, 1}}});
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kImEnd), 1);
}

// Special tokens that are looked for in normalised text, where bytes have moved.
TEST(TokenizerJsonTrust, HoldsThroughNormalisers) {
  auto document = testing::tiny_json_bpe();
  for (auto& token : document["added_tokens"].as_array()) token.as_object()["normalized"] = true;
  document["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers",
       {{{"type", "NFKD"}},
        {{"type", "Lowercase"}},
        {{"type", "Replace"}, {"pattern", {{"String", "é"}}}, {"content", ""}}}}};
  const auto t = open(document);
  const std::string text = "ＡｆİﬁÅ<|IM_END|>ﬁﬁ<|im_end|>Å";
  const size_t first = text.find("<|IM_END|>"), second = text.find("<|im_end|>");
  const auto count = [&](std::vector<TextRange> ranges) {
    const Ids ids = t->encode({text, std::move(ranges)});
    return std::count(ids.begin(), ids.end(), kImEnd);
  };
  EXPECT_EQ(count({}), 2);
  EXPECT_EQ(count({{0, text.size()}}), 0);
  EXPECT_EQ(count({{first, first + 10}}), 1);
  EXPECT_EQ(count({{0, first}, {first + 10, second}, {second + 10, text.size()}}), 2);
  EXPECT_EQ(count({{first + 9, second + 1}}), 0);
}

TEST(TokenizerJsonTrust, VocabulariesThatLookAtWholeTextsFindNoControlToken) {
  const auto t = open(testing::tiny_json_unigram());
  EXPECT_EQ(t->encode_trusted("a</s>b"), (Ids{4, 2, 3, 6}));
  for (const TokenId id : t->encode_text("ab<s>a</s>")) EXPECT_TRUE(id != 1 && id != 2);
}

TEST(TokenizerJsonRows, WithoutATokenDecodeToNothing) {
  const auto t = open(testing::tiny_json_bpe(), {}, 300);
  EXPECT_EQ(t->n_vocab(), 300);
  EXPECT_EQ(t->piece(299, true), "");
  EXPECT_EQ(t->kind(264), TokenKind::unused);
  EXPECT_EQ(t->decode(Ids{kHello, 299, kHello}), "hellohello");
  EXPECT_THROW(t->piece(300), Error);
  EXPECT_EQ(t->find(""), -1);
}

TEST(TokenizerJsonRows, AnAddedTokenThatTheModelDoesNotHaveIsLeftOut) {
  const auto t = open(testing::tiny_json_bpe(), {}, 263);  // one row less
  EXPECT_EQ(t->find("<|im_end|>"), -1);
  for (const TokenId id : t->encode_trusted("<|im_end|>")) EXPECT_LT(id, 263);
  EXPECT_THROW(open(testing::tiny_json_bpe(), {}, 100), Error);  // but a model's token is refused
}

TEST(TokenizerJsonFacts, ComeFromTheFilesBesideIt) {
  TokenizerFiles files;
  files.tokenizer_config =
      R"({"bos_token": {"content": "<|start|>", "lstrip": false}, "add_eos_token": true})";
  files.special_tokens_map = R"({"eos_token": "<|im_end|>", "bos_token": "[TOOL]"})";
  files.generation_config = R"({"eos_token_id": [263, 260], "bos_token_id": 3})";
  files.config = R"({"eos_token_id": 5, "vocab_size": 264})";
  const TokenizerFacts facts = read_tokenizer_facts(files);
  const auto t = open(testing::tiny_json_bpe(), facts);
  EXPECT_EQ(t->bos(), kStart);
  EXPECT_EQ(t->eos(), kImEnd);
  EXPECT_TRUE(t->ends_generation(kImEnd));
  EXPECT_TRUE(t->ends_generation(260));
  EXPECT_FALSE(t->ends_generation(5));
  EXPECT_TRUE(t->add_bos());
  EXPECT_TRUE(t->add_eos());
  EXPECT_EQ(t->with_bos_eos({kHello}), (Ids{kStart, kHello, kImEnd}));
  EXPECT_EQ(t->with_bos_eos({kStart, kHello, kImEnd}), (Ids{kStart, kHello, kImEnd}));
}

TEST(TokenizerJsonFacts, AFlagOverridesTheTemplate) {
  TokenizerFacts facts;
  facts.add_bos = false;
  const auto t = open(testing::tiny_json_bpe(), facts);
  EXPECT_FALSE(t->add_bos());
  EXPECT_EQ(t->with_bos_eos({kHello}), Ids{kHello});
  const auto bert = open(testing::tiny_json_word_piece());
  EXPECT_EQ(bert->with_bos_eos(bert->encode_text("Hello, he")), (Ids{2, 6, 8, 4, 3}));
  EXPECT_EQ(bert->bos(), 2);
  EXPECT_EQ(bert->eos(), 3);
}

TEST(TokenizerJsonPairs, AreJoinedAsTheTemplateSays) {
  const auto bert = open(testing::tiny_json_word_piece());
  const JoinedIds joined = bert->join(bert->encode_text("hello"), bert->encode_text("w, he"));
  EXPECT_EQ(joined.ids, (Ids{2, 6, 3, 7, 8, 4, 3}));
  EXPECT_EQ(joined.segments, (std::vector<uint8_t>{0, 0, 0, 1, 1, 1, 1}));
  EXPECT_THROW(open(testing::tiny_json_unigram())->join(Ids{3}, Ids{4}), Error);
}

TEST(TokenizerJsonFacts, MalformedOnesNameFileAndField) {
  const auto message = [](std::string_view config) {
    try {
      TokenizerFiles files;
      files.tokenizer_config = config;
      read_tokenizer_facts(files);
      return std::string("accepted");
    } catch (const Error& error) {
      return error.message();
    }
  };
  EXPECT_NE(message(R"({"bos_token": 3})").find("tokenizer_config.json.bos_token"),
            std::string::npos);
  EXPECT_NE(message(R"({"add_bos_token": "yes"})").find("add_bos_token"), std::string::npos);
  EXPECT_NE(message("[]").find("tokenizer_config.json"), std::string::npos);
  EXPECT_NE(message("{").find("JSON"), std::string::npos);
}

TEST(TokenizerJsonStream, PiecesAreWhatTheTextIsMadeOf) {
  const auto t = open(testing::tiny_json_bpe());
  const std::string text = "hello w é 你好 😀";
  std::string streamed;
  StreamDecoder stream(t);
  for (const TokenId id : t->encode_text(text)) {
    const std::string part = stream.push(id);
    EXPECT_TRUE(is_valid_utf8(part));
    streamed += part;
  }
  EXPECT_EQ(streamed + stream.finish(), text);
}

}  // namespace
}  // namespace strata::models
