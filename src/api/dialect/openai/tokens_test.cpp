// /tokenize and /detokenize, over a model with a vocabulary of its own.
#include <gtest/gtest.h>

#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_backend.h"
#include "core/json.h"
#include "models/testing/formula_model.h"

namespace strata::api::openai {
namespace {

using api::testing::fetch;
using api::testing::Reply;

// Letters, the space and one word; control tokens at the beginning.
std::string model_of_letters() {
  auto builder = models::tiny_llama();
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>", "\u2581", "sky"};
  for (char c = 'a'; c <= 'z'; ++c) tokens.emplace_back(1, c);
  for (const char* each : {"<", "/", ">", "sk", "\u00fc"}) tokens.emplace_back(each);
  while (tokens.size() < 48) tokens.push_back("t" + std::to_string(tokens.size()));
  std::vector<int32_t> kinds(tokens.size(), 1);
  kinds[0] = 2, kinds[1] = 3, kinds[2] = 3;
  tokens[46] = "<0xC3>", tokens[47] = "<0xA9>";  // together an é
  kinds[46] = kinds[47] = 6;
  builder.set_i32s("tokenizer.ggml.token_type", kinds);
  builder.set_texts("tokenizer.ggml.tokens", tokens);
  builder.set_bool("tokenizer.ggml.add_space_prefix", false);
  builder.set_u32("llama.context_length", 128);
  builder.set_text("tokenizer.chat_template",
                   "{% for message in messages %}{{ message.content }} {% endfor %}");
  const auto bytes = builder.build();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Tokens : public ::testing::Test {
 protected:
  Tokens() { store_.add("tiny", model_of_letters()); }

  Reply ask(const std::string& path, const std::string& body) {
    return fetch(running_.port(), "POST", path, body);
  }
  json::value answer(const std::string& path, const std::string& body) {
    const Reply reply = ask(path, body);
    EXPECT_EQ(reply.status, 200) << body << reply.body;
    return parse_json(reply.body);
  }
  void expect_refused(const std::string& path, const std::string& body, const std::string& says) {
    const Reply reply = ask(path, body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    EXPECT_NE(reply.body.find(says), std::string::npos) << reply.body;
  }

  api::testing::TinyStore store_;
  api::testing::Running running_{api::testing::tiny_backend(store_)};
};

TEST_F(Tokens, AreThoseOfTheTextWithOrWithoutItsBeginning) {
  const auto whole = answer("/tokenize", R"({"model":"tiny","prompt":"the sky"})");
  EXPECT_EQ(whole.at("tokens"), (json::array{1, 24, 12, 9, 3, 4}));
  const auto bare =
      answer("/tokenize", R"({"model":"tiny","prompt":"the sky","add_special_tokens":false})");
  json::array ids = whole.at("tokens").as_array();
  EXPECT_EQ(whole.at("count").to_number<size_t>(), ids.size());
  EXPECT_EQ(whole.at("max_model_len"), 128);
  EXPECT_TRUE(whole.at("token_strs").is_null());
  ASSERT_GT(ids.size(), 2u);
  ids.erase(ids.begin());
  EXPECT_EQ(bare.at("tokens").as_array(), ids);
}

TEST_F(Tokens, OfLlamaCppsFormHaveNoBeginningUnlessAsked) {
  const auto bare = answer("/tokenize", R"({"content":"the sky"})");
  const auto same = answer("/tokenize", R"({"prompt":"the sky","add_special_tokens":false})");
  const auto whole = answer("/tokenize", R"({"prompt":"the sky"})");
  EXPECT_EQ(bare, (json::object{{"tokens", same.at("tokens")}}));
  EXPECT_EQ(answer("/tokenize", R"({"content":"the sky","add_special":true})").at("tokens"),
            whole.at("tokens"));
}

TEST_F(Tokens, AreTheTextAgain) {
  for (const char* text : {"the sky is blue", " a  b ", "z\u00fcrich", "x", "</s>"}) {
    const std::string content = to_json(json::value(text));
    const auto ids = answer("/tokenize", "{\"content\":" + content + "}").at("tokens");
    const auto back = answer("/detokenize", "{\"model\":\"tiny\",\"tokens\":" + to_json(ids) + "}");
    EXPECT_EQ(back.at("prompt"), text);
    EXPECT_EQ(back.at("content"), text);
  }
}

TEST_F(Tokens, ThatATextSpellsAreControlTokensUnlessTheyAreText) {
  const auto control = answer("/tokenize", R"({"content":"</s>"})").at("tokens").as_array();
  const auto text = answer("/tokenize", R"({"content":"</s>","parse_special":false})");
  EXPECT_EQ(control.size(), 1u);
  EXPECT_GT(text.at("tokens").as_array().size(), 1u);
}

TEST_F(Tokens, CanBeToldWithTheirPieces) {
  const auto pieces = [&](const std::string& more) {
    return answer("/tokenize", R"({"with_pieces":true,)" + more + "}").at("tokens");
  };
  EXPECT_EQ(to_json(pieces(R"("content":" a a\u00e9","add_special":true)")),
            R"([{"id":1,"piece":"<s>"},{"id":3,"piece":" "},{"id":5,"piece":"a"},)"
            R"({"id":3,"piece":" "},{"id":5,"piece":"a"},{"id":46,"piece":[195]},)"
            R"({"id":47,"piece":[169]}])");
  EXPECT_EQ(to_json(pieces(R"("content":"")")), "[]");
  EXPECT_EQ(ask("/tokenize", R"({"model":"absent","content":"a","with_pieces":true})").status, 404);
  expect_refused("/tokenize", R"({"prompt":"a","with_pieces":true})", "with_pieces");
}

// More of them than the context has positions: nothing is computed of them.
TEST_F(Tokens, OfALongTextAreToldAndReadAgainAsOfAShortOne) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "the sky ";
  const std::string content = R"({"content":")" + text + R"(")";
  const auto ids = answer("/tokenize", content + "}").at("tokens");
  EXPECT_GT(ids.as_array().size(), 128u);
  const auto pieces = answer("/tokenize", content + R"(,"with_pieces":true})").at("tokens");
  std::string joined;
  for (const auto& each : pieces.as_array()) joined += each.at("piece").as_string();
  EXPECT_EQ(joined, text);
  const auto back = answer("/detokenize", R"({"tokens":)" + to_json(ids) + "}");
  EXPECT_EQ(back.at("content").as_string(), text);
}

TEST_F(Tokens, WithTheirPiecesAreOneRequest) {
  const uint64_t before = running_.gateway.asked();
  answer("/tokenize", R"({"content":"the sky is blue","with_pieces":true})");
  EXPECT_EQ(running_.gateway.asked() - before, 1u);
}

TEST_F(Tokens, OfAConversationAreItsAnswersPrompt) {
  const std::string chat = R"("model":"tiny","messages":[{"role":"user","content":"the sky"}])";
  const auto counted = answer("/tokenize", "{" + chat + "}").at("count");
  const auto asked = answer("/v1/chat/completions", "{" + chat + R"(,"max_tokens":1})");
  EXPECT_EQ(counted, asked.at("usage").at("prompt_tokens"));
}

TEST_F(Tokens, AreRefusedByTheFieldThatIsWrong) {
  expect_refused("/tokenize", "{}", "prompt");
  expect_refused("/tokenize", R"({"prompt":5})", "prompt");
  expect_refused("/tokenize", R"({"prompt":"a","content":"b"})", "prompt");
  expect_refused("/tokenize", R"({"prompt":"a","add_special":true})", "add_special");
  expect_refused("/tokenize", R"({"prompt":"a","return_token_strs":true})", "return_token_strs");
  expect_refused("/tokenize",
                 R"({"messages":[{"role":"user","content":"a"}],"add_special_tokens":true})",
                 "add_special_tokens");
  expect_refused("/detokenize", "{}", "tokens");
  expect_refused("/detokenize", R"({"tokens":[]})", "tokens");
  expect_refused("/detokenize", R"({"tokens":["a"]})", "tokens");
  expect_refused("/detokenize", R"({"tokens":[-1]})", "tokens");
  expect_refused("/detokenize", R"({"tokens":[2147483647]})", "2147483647");
  EXPECT_EQ(ask("/tokenize", R"({"model":"absent","prompt":"a"})").status, 404);
}

}  // namespace
}  // namespace strata::api::openai
