// tokenizer.json files that ask for more work than their bytes: refused, or done in time.
#include <functional>
#include <span>

#include <gmock/gmock.h>

#include "core/testing/expect_error.h"
#include "models/tokenizer/pipeline/charsmap.h"
#include "models/tokenizer/split_regex.h"
#include "models/tokenizer/testing/tiny_json.h"
#include "models/tokenizer/tokenizer_json.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

// Each match is cheap enough, all together are not; cut by added tokens or not.
TEST(HostileTokenizerWork, PatternsAreBoundedOverTheWholeText) {
  auto document = testing::tiny_json_bpe();
  document["pre_tokenizer"] = {{"type", "Split"},
                               {"pattern", {{"Regex", "(?:a|a)*(?<=b)|."}}},
                               {"behavior", "Isolated"},
                               {"invert", false}};
  const auto t = tokenizer_from_json(to_json(document), {}, 0);
  for (const char* gap : {" ", "[TOOL]"}) {
    std::string text;
    for (int i = 0; i < 2000; ++i) text.append(16, 'a').append(gap);
    const Error error = strata::testing::error_of([&] { t->encode_text(text); });
    EXPECT_EQ(error.code(), Code::resource_exhausted);
    EXPECT_THAT(error.message(), HasSubstr("the rest of the text"));
    EXPECT_NO_THROW(t->encode_text(text.substr(0, 100)));
  }
}

// One step of each match runs to the end of the text. Quadratic, it would take minutes.
TEST(HostileTokenizerWork, PatternsThatLookFarAreBounded) {
  const std::string text = std::string(100'000, 'a') + "z";
  for (const char* pattern : {"a(?=.*z)", "a+b", "a(?!.*b)"}) {
    const SplitRegex regex(pattern);
    const Ends ends{static_cast<uint32_t>(text.size())};
    const Error error = strata::testing::error_of([&] { regex.split(text, 0, ends); });
    EXPECT_EQ(error.code(), Code::resource_exhausted) << pattern;
  }
}

// What is looked at in windows is found as if it were looked at at once.
TEST(HostileTokenizerWork, LongMatchesAndThoseAcrossWindows) {
  using Spans = std::vector<std::pair<size_t, size_t>>;
  const auto matches = [](const char* pattern, std::string_view text) {
    const SplitRegex regex(pattern);
    RegexBudget budget(text.size());
    SplitRegex::Search search(regex, budget);
    search.start(text);
    Spans out;
    for (size_t begin = 0, end = 0; search.next(begin, end);) out.emplace_back(begin, end);
    return out;
  };
  for (size_t before = kRegexWindow - 8; before < kRegexWindow + 8; ++before) {
    const std::string text = std::string(before, 'a') + "\u20AC\u20ACb";
    const size_t euro = before, last = before + 6, end = before + 7;
    EXPECT_EQ(matches("\u20AC+", text), Spans({{euro, last}}));
    EXPECT_EQ(matches("(?<=aaa\u20AC)\u20AC", text), Spans({{euro + 3, last}}));
    EXPECT_EQ(matches("a(?=\u20AC\u20ACb$)", text), Spans({{before - 1, before}}));
    EXPECT_EQ(matches("a(?!a)", text), Spans({{before - 1, before}}));
    EXPECT_EQ(matches("$", text), Spans({{end, end}}));
    EXPECT_EQ(matches("\\A.+", text), Spans({{0, end}}));
    EXPECT_EQ(matches("b|$", text), Spans({{last, end}}));
  }
  const std::string word(100'000, 'a');
  EXPECT_EQ(matches(" ?a+", word + " " + word), Spans({{0, 100'000}, {100'000, 200'001}}));
}

TEST(HostileTokenizerWork, PatternsAreGivenTextOnly) {
  const SplitRegex regex(".");
  RegexBudget budget(2);
  SplitRegex::Search search(regex, budget);
  EXPECT_THROW(search.start("a\xC3"), Error);
}

// A trie of one byte's edge that leads back to itself: every text would be one key's beginning,
// from each of its bytes on.
TEST(HostileTokenizerWork, CharsmapsWhoseKeysNeverEnd) {
  const auto map = [](std::span<const uint32_t> units) {
    const auto size = static_cast<uint32_t>(units.size_bytes());
    std::string bytes(reinterpret_cast<const char*>(&size), sizeof size);
    return bytes.append(reinterpret_cast<const char*>(units.data()), size).append("x", 2);
  };
  const auto unit = [](uint32_t offset, uint32_t label, bool value) {
    return offset << 10 | (value ? 256u : 0) | label;
  };
  constexpr uint32_t kBase = 256;  // of the root's children; 'a' at 256 ^ 97
  std::vector<uint32_t> units(512);
  units[0] = unit(kBase, 0, false);
  units[kBase ^ 'a'] = unit('a', 'a', false);  // its children: (kBase ^ 'a') ^ 'a'
  const Charsmap round(map(units));
  const std::string text(1 << 20, 'a');
  size_t n_found = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    n_found += round.longest(std::string_view(text).substr(at)) ? 1 : 0;
  }
  EXPECT_EQ(n_found, 0u);
  units[kBase ^ 'a'] = unit('a' ^ 128, 'a', true);  // and its value at kBase ^ 128
  units[kBase ^ 128] = 1u << 31;
  EXPECT_EQ(Charsmap(map(units)).longest("ab")->replacement, "x");
  units[kBase ^ 128] |= 3;  // beyond the replacements
  EXPECT_THROW(Charsmap(map(units)), Error);
}

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

const json::object kByteLevel{{"type", "ByteLevel"}};

json::object replacing(std::string_view kind, std::string_view pattern,
                       const std::string& content) {
  return {{"type", "Replace"},
          {"pattern", {{json::string(kind), json::string(pattern)}}},
          {"content", json::string(content)}};
}

std::shared_ptr<const Tokenizer> decoding_by(json::array decoders) {
  auto document = testing::tiny_json_bpe();
  document["decoder"] = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
  return tokenizer_from_json(to_json(document), {}, 0);
}

// Four of them make 10^12 bytes of one letter.
TEST(HostileTokenizerWork, TokensThatGrowWhenTheyAreDecoded) {
  for (const char* kind : {"String", "Regex"}) {
    json::array decoders;
    decoders.push_back(kByteLevel);
    for (int i = 0; i < 4; ++i) {
      decoders.push_back(replacing(kind, "a", i < 1 ? "aaaaaaaa" : std::string(1000, 'a')));
    }
    const auto t = decoding_by(decoders);
    const std::vector<TokenId> ids = t->encode_text("a");
    ASSERT_EQ(ids.size(), 1u);
    for (const auto& make : {std::function<std::string()>([&] { return t->piece(ids[0]); }),
                             std::function<std::string()>([&] { return t->decode(ids); })}) {
      const Error error = strata::testing::error_of(make);
      EXPECT_EQ(error.code(), Code::invalid_argument);
      EXPECT_THAT(error.message(), HasSubstr("decoder.decoders[2]: Replace makes over 272 bytes"));
    }
    EXPECT_EQ(t->piece(t->find("b")), "b");
  }
}

TEST(HostileTokenizerWork, DecodersOfBoundedLength) {
  json::array decoders(64, replacing("String", "a", "a"));
  EXPECT_NO_THROW(decoding_by(decoders));
  decoders.push_back(kByteLevel);
  const Error error = strata::testing::error_of([&] { decoding_by(decoders); });
  EXPECT_THAT(error.message(), HasSubstr("decoders[64] is one step more than 64"));
}

// Each of as many tokens as a vocabulary has.
TEST(HostileTokenizerWork, PatternsOfOneTokenAreBounded) {
  const auto t = decoding_by({kByteLevel, replacing("String", "a", std::string(32, 'a')),
                              replacing("Regex", "(?:a|a)*(?<=b)", "")});
  const Error error = strata::testing::error_of([&] { t->piece(t->find("a")); });
  EXPECT_EQ(error.code(), Code::resource_exhausted);
  EXPECT_EQ(t->piece(t->find("b")), "b");
}

// As tokenizers 0.23.3 does it: Tokenizer.from_file(...).decode(ids).
TEST(HostileTokenizerWork, PatternsSeeWholeCharacters) {
  const auto t = decoding_by({kByteLevel, replacing("Regex", ".", "x")});
  std::vector<TokenId> ids = t->encode_text("h\u00E9llo \u20AC");
  ASSERT_EQ(ids.size(), 9u);  // "ll" is one
  EXPECT_EQ(t->decode(ids), "xxxxxxx");
  // A token alone that is a part of a character stays it.
  EXPECT_EQ(t->piece(ids[1]), "\xC3");
  EXPECT_EQ(t->piece(ids[0]), "x");
  ids.pop_back();  // what stands of the character is one U+FFFD
  EXPECT_EQ(t->decode(ids), "xxxxxxx");
  ids.pop_back();
  EXPECT_EQ(t->decode(ids), "xxxxxxx");
  ids.insert(ids.end(), 3, ids[2]);  // two end a character, the third one nothing
  EXPECT_EQ(t->decode(ids), "xxxxxxxx");
}

TEST(HostileTokenizerWork, WordsOfBoundedLength) {
  auto document = testing::tiny_json_word_piece();
  document["model"].as_object()["max_input_chars_per_word"] = 1000;
  EXPECT_NO_THROW(tokenizer_from_json(to_json(document), {}, 0));
  document["model"].as_object()["max_input_chars_per_word"] = 1001;
  const Error error =
      strata::testing::error_of([&] { tokenizer_from_json(to_json(document), {}, 0); });
  EXPECT_THAT(error.message(), HasSubstr("max_input_chars_per_word is 1001, the limit is 1000"));
}

}  // namespace
}  // namespace strata::models
