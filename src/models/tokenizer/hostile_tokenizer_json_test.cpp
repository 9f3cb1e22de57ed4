// Broken and hostile tokenizer.json files: each gets a clear error that names the place, in bounded
// time and memory.
#include <functional>

#include <gtest/gtest.h>

#include "core/error.h"
#include "models/tokenizer/testing/tiny_json.h"
#include "models/tokenizer/tokenizer_json.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

using Document = json::object;

std::string refusal_of_text(std::string_view text, int32_t n_vocab = 0) {
  try {
    tokenizer_from_json(text, {}, n_vocab);
    return "accepted";
  } catch (const Error& error) {
    return error.message();
  }
}

std::string refusal(const Document& document, int32_t n_vocab = 0) {
  return refusal_of_text(to_json(document), n_vocab);
}

void expect_refused(const Document& document, std::string_view part, int32_t n_vocab = 0) {
  const std::string message = refusal(document, n_vocab);
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

json::object& model(Document& document) {
  return document["model"].as_object();
}

TEST(HostileTokenizerJson, WholeOnesAreAccepted) {
  EXPECT_EQ(refusal(testing::tiny_json_bpe()), "accepted");
  EXPECT_EQ(refusal(testing::tiny_json_word_piece()), "accepted");
  EXPECT_EQ(refusal(testing::tiny_json_unigram()), "accepted");
}

TEST(HostileTokenizerJson, TextThatIsNoTokenizer) {
  EXPECT_NE(refusal_of_text("").find("JSON"), std::string::npos);
  EXPECT_NE(refusal_of_text("{\"model\": ").find("JSON"), std::string::npos);
  EXPECT_NE(refusal_of_text("[]").find("tokenizer.json is no object"), std::string::npos);
  EXPECT_NE(refusal_of_text("{}").find("has no \"model\""), std::string::npos);
  EXPECT_NE(refusal_of_text("{\"model\": 3}").find("tokenizer.json.model"), std::string::npos);
  std::string deep = "{\"model\": ";
  for (int i = 0; i < 100000; ++i) deep += '[';
  EXPECT_NE(refusal_of_text(deep).find("JSON"), std::string::npos);
}

// Nothing is ignored: a part that we do not know could change every id.
TEST(HostileTokenizerJson, WhatIsNotUnderstoodIsNamed) {
  const std::pair<const char*, const char*> parts[] = {{"normalizer", "normaliser"},
                                                       {"pre_tokenizer", "pre-tokenizer"},
                                                       {"post_processor", "post-processor"},
                                                       {"decoder", "decoder"}};
  for (const auto& [key, word] : parts) {
    auto document = testing::tiny_json_bpe();
    document[key] = {{"type", "Frobnicate"}};
    expect_refused(document, fmt::format("{} \"Frobnicate\" is not understood", word));
    document[key] = {{"kind", "Frobnicate"}};
    expect_refused(document, fmt::format("tokenizer.json.{} has no \"type\"", key));
  }
  auto document = testing::tiny_json_bpe();
  document["pre_tokenizer"].as_object()["frobnicate"] = 1;
  expect_refused(document, "tokenizer.json.pre_tokenizer: \"frobnicate\"");
  document = testing::tiny_json_bpe();
  model(document)["frobnicate"] = 1;
  expect_refused(document, "tokenizer.json.model: \"frobnicate\"");
  document = testing::tiny_json_bpe();
  document["frobnicate"] = 1;
  expect_refused(document, "\"frobnicate\"");
  document = testing::tiny_json_bpe();
  model(document)["type"] = "Markov";
  expect_refused(document, "model \"Markov\"");
  document = testing::tiny_json_bpe();
  model(document)["dropout"] = 0.1;
  expect_refused(document, "dropout");
}

TEST(HostileTokenizerJson, MergesMustNameTokens) {
  const json::value broken[] = {"h zz",
                                "zz h",
                                "h",
                                "",
                                " ",
                                "h ",
                                "h e l",
                                "o h",
                                3,
                                json::array{"h"},
                                json::array{"h", "e", "l"},
                                json::array{"h", 1}};
  for (const json::value& merge : broken) {
    auto document = testing::tiny_json_bpe();
    model(document)["merges"] = json::array{"h e", merge};
    const std::string message = refusal(document);
    EXPECT_NE(message.find("merges"), std::string::npos) << message;
    EXPECT_NE(message.find('1'), std::string::npos) << message;
  }
  auto document = testing::tiny_json_bpe();
  model(document).erase("merges");
  expect_refused(document, "merges");
}

TEST(HostileTokenizerJson, IdsMustBeInRangeAndDifferent) {
  for (const json::value& id : {json::value(-1), json::value(int64_t{1} << 40), json::value(1.5),
                                json::value("7"), json::value(nullptr)}) {
    auto document = testing::tiny_json_bpe();
    model(document)["vocab"].as_object()["hello"] = id;
    expect_refused(document, "tokenizer.json.model.vocab");
  }
  auto document = testing::tiny_json_bpe();
  model(document)["vocab"].as_object()["hello"] = 258;
  expect_refused(document, "gives the id 258 to");
  document = testing::tiny_json_bpe();
  expect_refused(document, "the model has 200 rows", 200);
  expect_refused(document, "a vocabulary of -1 tokens", -1);
  model(document)["vocab"] = json::object{};
  expect_refused(document, "has no tokens");
}

TEST(HostileTokenizerJson, GapsAreAllowedButNotHugeOnes) {
  auto document = testing::tiny_json_bpe();
  model(document)["vocab"].as_object()["far"] = 50000;
  EXPECT_EQ(refusal(document), "accepted");
  model(document)["vocab"].as_object()["far"] = 16000000;  // would be 256 MB of nothing
  expect_refused(document, "16000000");
}

TEST(HostileTokenizerJson, AddedTokensMustFit) {
  auto document = testing::tiny_json_bpe();
  auto& tokens = document["added_tokens"].as_array();
  tokens[1].as_object()["id"] = 5;
  expect_refused(document, "gives the id 5 to");
  tokens[1].as_object()["id"] = "5";
  expect_refused(document, "tokenizer.json.added_tokens[1].id");
  tokens[1].as_object().erase("content");
  expect_refused(document, "tokenizer.json.added_tokens[1] has no \"content\"");
  tokens[1] = nullptr;
  expect_refused(document, "tokenizer.json.added_tokens[1]");
}

TEST(HostileTokenizerJson, TemplatesMustNameTokens) {
  auto document = testing::tiny_json_word_piece();
  document["post_processor"].as_object()["cls"] = {"[CLS]", 99};
  expect_refused(document, "no token of a vocabulary");
  document = testing::tiny_json_bpe();
  auto& wrap = document["post_processor"].as_object();
  wrap["special_tokens"] = json::object{};
  expect_refused(document, "has no \"<|start|>\"");
  wrap["single"] = {{{"Sequence", {{"id", "C"}, {"type_id", 0}}}}};
  expect_refused(document, "\"C\"");
}

// Without a text between them there would be nothing left once its special tokens are dropped.
TEST(HostileTokenizerJson, TemplatesTakeEachTextOnce) {
  const json::value special = {{"SpecialToken", {{"id", "<|start|>"}, {"type_id", 0}}}};
  const json::value a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json::value b = {{"Sequence", {{"id", "B"}, {"type_id", 0}}}};
  const std::pair<const char*, json::array> broken[] = {
      {"single", {special}}, {"single", {}},   {"single", {a, a}}, {"single", {a, b}},
      {"pair", {special}},   {"pair", {a, a}}, {"pair", {a}},      {"pair", {a, b, b}},
  };
  TokenizerFacts facts;
  facts.add_bos = facts.add_eos = false;
  for (const auto& [key, parts] : broken) {
    auto document = testing::tiny_json_bpe();
    document["post_processor"].as_object()[key] = parts;
    try {
      tokenizer_from_json(to_json(document), facts, 0);
      ADD_FAILURE() << key;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(fmt::format("post_processor.{} takes Sequence A", key)),
                std::string::npos)
          << error.message();
    }
  }
  const auto t = tokenizer_from_json(to_json(testing::tiny_json_bpe()), facts, 0);
  EXPECT_EQ(t->with_bos_eos({7}), std::vector<TokenId>{7});
}

TEST(HostileTokenizerJson, UnknownTokensMustExist) {
  auto document = testing::tiny_json_word_piece();
  model(document)["unk_token"] = "[WHAT]";
  expect_refused(document, "unk_token");
  model(document).erase("unk_token");
  expect_refused(document, "unk_token");
  document = testing::tiny_json_unigram();
  model(document)["unk_id"] = 8;
  expect_refused(document, "unk_id is 8");
  model(document)["unk_id"] = nullptr;  // text that needs one is refused, not the file
  const auto t = tokenizer_from_json(to_json(document), {}, 0);
  EXPECT_THROW(t->encode_text("xyz"), Error);
  EXPECT_NO_THROW(t->encode_text("ab"));
}

TEST(HostileTokenizerJson, ScoresMustBeNumbers) {
  auto document = testing::tiny_json_unigram();
  model(document)["vocab"].as_array()[3].as_array()[1] = "x";
  expect_refused(document, "vocab[3]");
  model(document)["vocab"].as_array()[3] = json::array{"▁"};
  expect_refused(document, "vocab[3]");
}

TEST(HostileTokenizerJson, PatternsAreCheckedAndBounded) {
  const auto with = [](std::string_view regex) {
    auto document = testing::tiny_json_bpe();
    document["pre_tokenizer"] = {{"type", "Split"},
                                 {"pattern", {{"Regex", json::string(regex)}}},
                                 {"behavior", "Isolated"},
                                 {"invert", false}};
    return document;
  };
  for (const char* broken : {"(", "[a", "a{2", "\\", "(?<n>a)\\k<n>", "(?{x})", "\\C", "\\Q..",
                             "(*ACCEPT)", "[[:alpha:]]", "a{2}+", "\\g<1>", "(?R)", "\\p{Alpha}"}) {
    EXPECT_NE(refusal(with(broken)).find("tokenizer.json.pre_tokenizer.pattern.Regex"),
              std::string::npos)
        << broken << ": " << refusal(with(broken));
  }
  EXPECT_NE(refusal(with("((a{1000}){1000}){1000}")), "accepted");
  EXPECT_NE(refusal(with(std::string(kMaxPatternBytes + 1, 'a'))), "accepted");
  // Exponential in the length of the text: refused after the limit's steps, not after years.
  const auto t = tokenizer_from_json(to_json(with("(?:a|a)*(?:a|a)*(?:a|a)*\\z(?<=b)")), {}, 0);
  try {
    t->encode_text(std::string(5000, 'a') + "c");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::resource_exhausted);
  }
}

TEST(HostileTokenizerJson, CharsmapsThatPointOutside) {
  const auto with = [](std::string_view base64) {
    auto document = testing::tiny_json_unigram();
    document["normalizer"] = {{"type", "Precompiled"},
                              {"precompiled_charsmap", json::string(base64)}};
    return document;
  };
  expect_refused(with(""), "charsmap");
  expect_refused(with("####"), "base64");
  expect_refused(with("AAAAAA=="), "charsmap");      // a trie of no bytes
  expect_refused(with("/////w=="), "charsmap");      // of 4 GB
  expect_refused(with("BQAAAAAAAAAA"), "charsmap");  // of five bytes
  // One unit whose children and value lie far outside: nothing is read there.
  const auto t = tokenizer_from_json(to_json(with("BAAAAP////8=")), {}, 0);
  EXPECT_NO_THROW(t->encode_text("ab \xC3\xA9"));
}

TEST(HostileTokenizerJson, DeepSequencesAreRefusedByDepth) {
  for (const auto& [key, member] :
       {std::pair{"normalizer", "normalizers"}, std::pair{"pre_tokenizer", "pretokenizers"},
        std::pair{"decoder", "decoders"}, std::pair{"post_processor", "processors"}}) {
    std::string nested = "null";
    for (int i = 0; i < 5000; ++i) {
      nested = std::string(R"({"type":"Sequence",")") + member + "\":[" + nested + "]}";
    }
    const std::string text = std::string("{\"") + key + "\":" + nested + "}";
    EXPECT_NE(refusal_of_text(text).find("JSON"), std::string::npos);
  }
}

TEST(HostileTokenizerJson, TextsThatGrowAreBounded) {
  auto document = testing::tiny_json_bpe();
  json::array steps;
  // 4,000 times as long at each step.
  for (int i = 0; i < 6; ++i) {
    steps.push_back({{"type", "Replace"},
                     {"pattern", {{"String", "a"}}},
                     {"content", json::string(std::string(4000, 'a'))}});
  }
  document["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  const auto t = tokenizer_from_json(to_json(document), {}, 0);
  EXPECT_THROW(t->encode_text("aaaa"), Error);
}

// A search for nothing would never end.
TEST(HostileTokenizerJson, MarksAreOneCharacter) {
  for (const char* mark : {"", "ab"}) {
    for (const char* key : {"decoder", "pre_tokenizer"}) {
      auto document = testing::tiny_json_unigram();
      document[key].as_object()["replacement"] = mark;
      expect_refused(document, fmt::format("tokenizer.json.{}.replacement", key));
    }
  }
}

TEST(HostileTokenizerJson, TokensOfBoundedLength) {
  auto document = testing::tiny_json_bpe();
  model(document)["vocab"].as_object()[std::string(kMaxTokenBytes + 1, 'x')] = 264;
  expect_refused(document, "the limit is 16384");
}

// Every member in turn becomes something else: an error or a tokenizer, never a crash.
TEST(HostileTokenizerJson, AnyMemberOfAnyType) {
  const json::value others[] = {nullptr,
                                true,
                                -1,
                                1e300,
                                "",
                                "\xEF\xBF\xBD",
                                json::array{},
                                json::object{},
                                json::array{json::array{}}};
  size_t refused = 0, accepted = 0;
  const std::function<void(Document&, json::value&, int)> walk = [&](Document& whole,
                                                                     json::value& at, int depth) {
    const json::value kept = at;
    for (const json::value& other : others) {
      at = other;
      const bool fine = [&] {
        try {
          const auto t = tokenizer_from_json(to_json(whole), {}, 0);
          t->decode(t->with_bos_eos(t->encode_trusted("hello <s> w a")), true);
          return true;
        } catch (const Error&) {
          return false;
        }
      }();
      fine ? ++accepted : ++refused;
    }
    at = kept;
    if (depth > 5) return;
    if (at.is_object() && at.get_object().size() < 20) {
      for (auto& member : at.get_object()) walk(whole, member.value(), depth + 1);
    } else if (at.is_array() && at.get_array().size() < 20) {
      for (auto& item : at.get_array()) walk(whole, item, depth + 1);
    }
  };
  for (Document document :
       {testing::tiny_json_bpe(), testing::tiny_json_word_piece(), testing::tiny_json_unigram()}) {
    for (auto& member : document) walk(document, member.value(), 0);
  }
  EXPECT_GT(refused, 500u);
  EXPECT_GT(accepted, 50u);
}

}  // namespace
}  // namespace strata::models
