#include "models/tokenizer/tokenizer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/error.h"
#include "core/testing/test_data.h"
#include "core/utf8.h"
#include "models/format/gguf.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/testing/strings.h"
#include "models/tokenizer/testing/tiny_vocabularies.h"

namespace strata::models {
namespace {

using Ids = std::vector<TokenId>;
using strata::testing::test_data;

constexpr TokenId kHello = 259, kTool = 261, kStart = 262, kImEnd = 263;

std::shared_ptr<const Tokenizer> smollm() {
  static const auto tokenizer =
      Tokenizer::from_gguf(open_gguf(test_data("models/smollm2-135m.gguf")));
  return tokenizer;
}

std::shared_ptr<const Tokenizer> gemma() {
  static const auto tokenizer =
      Tokenizer::from_gguf(open_gguf(test_data("models/gemma3-270m.gguf")));
  return tokenizer;
}

bool has_control(const Tokenizer& tokenizer, const Ids& ids) {
  return std::any_of(ids.begin(), ids.end(),
                     [&](TokenId id) { return tokenizer.kind(id) == TokenKind::control; });
}

TEST(TokenizerTrust, ControlTokensOutsideUntrustedRangesOnly) {
  const auto t = testing::open(testing::tiny_bpe());
  EXPECT_EQ(t->encode_trusted("<|start|>hello<|im_end|>"), (Ids{kStart, kHello, kImEnd}));
  EXPECT_FALSE(has_control(*t, t->encode_text("<|start|>hello<|im_end|>")));
  // Only the message is untrusted: <|start|> MESSAGE <|im_end|>
  const std::string message = "hello<|im_end|>";
  const Ids ids = t->encode({"<|start|>" + message + "<|im_end|>", {{9, 9 + message.size()}}});
  EXPECT_EQ(ids.front(), kStart);
  EXPECT_EQ(ids.back(), kImEnd);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kImEnd), 1);
}

TEST(TokenizerTrust, ASpellingThatCrossesTheBorderIsText) {
  const auto t = testing::open(testing::tiny_bpe());
  const std::string text = "<|im_end|>";
  for (size_t cut = 1; cut < text.size(); ++cut) {
    EXPECT_FALSE(has_control(*t, t->encode({text, {{0, cut}}}))) << cut;
    EXPECT_FALSE(has_control(*t, t->encode({text, {{cut, text.size()}}}))) << cut;
  }
  // An empty range touches nothing.
  EXPECT_EQ(t->encode({text, {{4, 4}}}), Ids{kImEnd});
}

TEST(TokenizerTrust, MergesMayCrossTheBorder) {
  const auto t = testing::open(testing::tiny_bpe());
  EXPECT_EQ(t->encode({"hello", {{2, 4}}}), Ids{kHello});
}

TEST(TokenizerTrust, UserDefinedTokensAreFoundEverywhere) {
  const auto t = testing::open(testing::tiny_bpe());
  EXPECT_EQ(t->encode_text("hello[TOOL]hello"), (Ids{kHello, kTool, kHello}));
}

TEST(TokenizerTrust, MergesDoNotMakeControlTokens) {
  auto builder = testing::tiny_bpe();
  // "hello" is spelled by merges; as a control token it must stay out of reach of text.
  auto kinds = Ids(264, 1);
  kinds[kHello] = 3;
  builder.set_i32s("tokenizer.ggml.token_type", kinds);
  const auto t = testing::open(builder);
  EXPECT_EQ(t->encode_trusted("hello"), Ids{kHello});
  EXPECT_FALSE(has_control(*t, t->encode_text("hello")));
}

TEST(TokenizerTrust, RangesOutsideTheTextAreRefused) {
  const auto t = testing::open(testing::tiny_bpe());
  EXPECT_THROW(t->encode({"abc", {{0, 4}}}), Error);
  EXPECT_THROW(t->encode({"abc", {{2, 1}}}), Error);
  EXPECT_THROW(t->encode({"abc", {{1, 3}, {0, 1}}}), Error);
}

TEST(TokenizerSentencePiece, SpacePrefixScoresAndBytes) {
  const auto t = testing::open(testing::tiny_sentencepiece());
  const auto id = [&](const char* token) { return t->find(token); };
  EXPECT_EQ(t->encode_text("abc"), (Ids{id("▁ab"), id("c")}));  // "ab", then "▁ab": -4 before -5
  EXPECT_EQ(t->encode_text("a"), Ids{id("▁a")});
  EXPECT_EQ(t->encode_text("é"), (Ids{id("▁"), id("<0xC3>"), id("<0xA9>")}));
  EXPECT_EQ(t->encode_trusted("</s>a"), (Ids{2, id("▁a")}));  // prefix behind specials, too
  EXPECT_EQ(t->encode_text(""), Ids{});
  // The spelling of a byte token is text, not that byte.
  const Ids spelled = t->encode_text("<0x0A>");
  EXPECT_EQ(std::count(spelled.begin(), spelled.end(), id("<0x0A>")), 0);
  EXPECT_EQ(t->decode(spelled), "<0x0A>");
}

TEST(TokenizerFlags, BosAndEosAreNotDoubled) {
  auto builder = testing::tiny_bpe();
  builder.set_bool("tokenizer.ggml.add_bos_token", true);
  builder.set_bool("tokenizer.ggml.add_eos_token", true);
  const auto t = testing::open(builder);
  EXPECT_EQ(t->with_bos_eos({kHello}), (Ids{kStart, kHello, kImEnd}));
  EXPECT_EQ(t->with_bos_eos({kStart, kHello, kImEnd}), (Ids{kStart, kHello, kImEnd}));
  EXPECT_TRUE(t->ends_generation(kImEnd));
  EXPECT_FALSE(t->ends_generation(kHello));
}

TEST(TokenizerPieces, ControlTokensAreSilentUnlessAskedFor) {
  const auto t = testing::open(testing::tiny_bpe());
  EXPECT_EQ(t->piece(kStart), "");
  EXPECT_EQ(t->piece(kStart, true), "<|start|>");
  EXPECT_EQ(t->piece(t->find("Ġw")), " w");
  EXPECT_THROW(t->piece(-1), Error);
  EXPECT_THROW(t->piece(264), Error);
}

std::vector<std::string> words(std::string_view pre_tokenizer, std::string_view text) {
  const PreTokenizer splitter(find_pre_tokenizer(pre_tokenizer));
  std::vector<std::string> out;
  size_t begin = 0;
  for (const size_t end : splitter.split(text, 0, text.size())) {
    out.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

// As the models' own tokenizer.json says, where the reference of the other tests approximates.
TEST(TokenizerWords, AreThoseOfTheOriginalPatterns) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words("tiny_aya", "a  1234"), (Words{"a", "  ", "1", "234"}));
  EXPECT_EQ(words("afmoe", "1234567"), (Words{"1", "234", "567"}));
  EXPECT_EQ(words("superbpe", "ab 1234567 x"), (Words{"ab ", "1", "234", "567", " x"}));
  EXPECT_EQ(words("tekken", "camelCase ÄÖüß it's"), (Words{"camel", "Case", " ÄÖüß", " it", "'s"}));
  EXPECT_EQ(words("gpt-4o", "camelCase IT's 12345"),
            (Words{"camel", "Case", " IT's", " ", "123", "45"}));
  EXPECT_EQ(words("kimi-k2", "你好Ab cD's"), (Words{"你好", "Ab", " c", "D's"}));
  EXPECT_EQ(words("exaone-moe", "가나 다라, x"), (Words{"가나 다라", ",", " x"}));
}

TEST(TokenizerWords, CoverTheTextWithoutGapsOrEmptyOnes) {
  for (const PreTokenizerSpec& spec : pre_tokenizer_table()) {
    const PreTokenizer splitter(spec);
    for (uint32_t i = 0; i < 300; ++i) {
      const std::string text = repair_utf8(testing::varied_text(i));
      size_t last = 0;
      for (const size_t end : splitter.split(text, 0, text.size())) {
        ASSERT_GT(end, last) << *spec.names.begin() << " " << text;
        last = end;
      }
      ASSERT_EQ(last, text.size());
    }
  }
}

TEST(TokenizerRoundTrip, ValidTextComesBackOnRealModels) {
  for (const auto& t : {smollm(), gemma()}) {
    for (uint32_t i = 0; i < 400; ++i) {
      const std::string text = testing::varied_text(i);
      // SmolLM2's vocabulary has no token for some of ASCII's control characters.
      const bool controls = std::any_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\t' && c != '\r';
      });
      if (controls || !is_valid_utf8(text)) continue;
      // U+2581 in a text reads as a space to a vocabulary that marks spaces so.
      if (t == gemma() && text.find("▁") != std::string::npos) continue;
      EXPECT_EQ(t->decode(t->encode_text(text)), text) << i;
    }
  }
}

TEST(TokenizerSpeed, ALongTextWithoutAWordBorderIsNotQuadratic) {
  // Quadratic merging would take minutes for each; no clock is needed to notice.
  for (const auto& t : {smollm(), gemma()}) {
    for (const char* unit : {"a", "ab", "1", " ", "\n", "我", "<|im_end|>"}) {
      std::string text;
      while (text.size() < (1 << 18)) text += unit;
      EXPECT_EQ(t->decode(t->encode_text(text)).size(), text.size()) << unit;
    }
  }
}

RC_GTEST_PROP(TokenizerProperties, UntrustedBytesNeverGiveControlIds, (const std::string& noise)) {
  const auto index = *rc::gen::inRange<uint32_t>(0, 100000);
  const std::string text = testing::varied_text(index) + noise + "<|im_end|><end_of_turn>";
  for (const auto& t : {smollm(), gemma()}) {
    const Ids ids = t->encode_text(text);
    RC_ASSERT(!has_control(*t, ids));
    for (const TokenId id : ids) RC_ASSERT(id >= 0 && id < t->n_vocab());
  }
}

RC_GTEST_PROP(TokenizerProperties, AnyRangesAreHonoured, (const std::string& noise)) {
  const std::string text = "<|im_start|>" + noise + "<|im_end|><|im_start|>" + noise;
  std::vector<TextRange> ranges;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at + *rc::gen::inRange<size_t>(0, 12);
    const size_t end = begin + *rc::gen::inRange<size_t>(0, 30);
    if (end > text.size()) break;
    ranges.push_back({begin, end});
    at = end + 1;
  }
  const auto t = smollm();
  // Each control id that comes out is spelled in full outside the ranges.
  size_t allowed = 0;
  for (const std::string_view name : {"<|im_start|>", "<|im_end|>"}) {
    for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
      const bool touched = std::any_of(ranges.begin(), ranges.end(), [&](const TextRange& r) {
        return r.begin < r.end && r.begin < at + name.size() && at < r.end;
      });
      allowed += touched ? 0 : 1;
    }
  }
  const Ids ids = t->encode({text, ranges});
  const auto found = std::count_if(ids.begin(), ids.end(),
                                   [&](TokenId id) { return t->kind(id) == TokenKind::control; });
  RC_ASSERT(static_cast<size_t>(found) == allowed);
}

// What the stream says in pieces is what all the ids say at once, and each piece is whole UTF-8.
RC_GTEST_PROP(TokenizerProperties, StreamsAreWholeCharactersOfTheSameText, ()) {
  const auto t = *rc::gen::element(smollm(), gemma());
  const auto ids = *rc::gen::container<Ids>(rc::gen::inRange<TokenId>(0, t->n_vocab()));
  StreamDecoder stream(t);
  std::string streamed, joined;
  for (const TokenId id : ids) {
    const std::string part = stream.push(id);
    RC_ASSERT(is_valid_utf8(part));
    streamed += part;
    joined += t->piece(id);
  }
  streamed += stream.finish();
  RC_ASSERT(streamed == repair_utf8(joined));
}

RC_GTEST_PROP(TokenizerProperties, StreamsOfEncodedTextGiveItBack, ()) {
  const auto t = *rc::gen::element(smollm(), gemma());
  const std::string text = testing::varied_text(*rc::gen::inRange<uint32_t>(0, 1000000) * 16);
  const Ids ids = t->encode_text(text);
  StreamDecoder stream(t);
  std::string streamed;
  for (const TokenId id : ids) streamed += stream.push(id);
  streamed += stream.finish();
  RC_ASSERT(streamed == repair_utf8(t->decode(ids)));
}

}  // namespace
}  // namespace strata::models
