// Vectors and scores over every interface, by the engine itself on tiny models.
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/gateway/local.h"
#include "api/server.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_store.h"

namespace strata::api {
namespace {

using testing::fetch;
using ::testing::HasSubstr;
using testing::Reply;
using Vector = std::vector<float>;

std::string bytes_of(const models::GgufBuilder& builder) {
  const auto bytes = builder.build();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

models::GgufBuilder prompted_bert() {
  models::GgufBuilder builder = models::tiny_bert();
  builder.set_texts("embedding.prompt_names", {"search_query", "document", "plain"});
  builder.set_texts("embedding.prompt_texts", {"qq ", "dd ", ""});
  builder.set_text("embedding.default_prompt_name", "document");
  return builder;
}

models::GgufBuilder labelled_bert() {
  models::GgufBuilder builder = models::tiny_bert(true);
  std::erase_if(builder.tensors,
                [](const auto& tensor) { return tensor.name.starts_with("cls.output"); });
  models::add_formula_tensor(builder, "cls.output.weight", 32, 2);
  models::add_formula_tensor(builder, "cls.output.bias", 2, 1);
  builder.set_texts("bert.classifier.output_labels", {"apart", "alike"});
  return builder;
}

class Embeddings : public ::testing::Test {
 protected:
  Embeddings() {
    store_.add("vectors", bytes_of(models::tiny_bert()));
    store_.add("ranks", bytes_of(models::tiny_bert(true)));
    store_.add("prompted", bytes_of(prompted_bert()));
    store_.add("labels", bytes_of(labelled_bert()));
    store_.add("chat");
    gateway_.add(make_local_backend({.store = store_.path(), .n_threads = 2}));
    server_ = std::make_unique<Server>(
        Services{
            .gateway = &gateway_, .metrics = &metrics_, .now_ms = [] { return testing::kNowMs; }},
        nullptr);
    ServerOptions options;
    options.port = 0;
    server_->start(options);
  }

  Reply post(std::string_view path, const std::string& body) {
    return fetch(server_->port(), "POST", path, body);
  }
  json::object ask(std::string_view path, const std::string& body) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 200) << path << " " << body << " " << reply.body;
    return parse_json(reply.body).as_object();
  }
  std::vector<Vector> vectors(const std::string& body) {
    const auto answer = ask("/v1/embeddings", body);
    std::vector<Vector> out;
    for (const auto& row : answer.at("data").as_array()) {
      EXPECT_EQ(row.at("index").to_number<size_t>(), out.size());
      out.push_back(json::value_to<Vector>(row.at("embedding")));
    }
    return out;
  }
  void expect_refused(std::string_view path, const std::string& body, int status,
                      const std::string& says) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, status) << body << " " << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(says));
  }

  testing::TinyStore store_;
  Gateway gateway_;
  Metrics metrics_;
  std::unique_ptr<Server> server_;
};

double length_of(const Vector& vector) {
  double squares = 0;
  for (const float value : vector) squares += double{value} * double{value};
  return std::sqrt(squares);
}

TEST_F(Embeddings, AreVectorsOfLengthOneInTheOrderOfTheTexts) {
  const auto answer = ask("/v1/embeddings", R"({"model":"vectors","input":["ab","cde"]})");
  EXPECT_EQ(answer.at("object"), "list");
  EXPECT_EQ(answer.at("model"), "vectors");
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 5 + 6);
  EXPECT_EQ(answer.at("usage").at("total_tokens"), 5 + 6);
  const auto both = vectors(R"({"model":"vectors","input":["ab","cde"]})");
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].size(), 32u);
  EXPECT_NEAR(length_of(both[0]), 1, 1e-6);
  EXPECT_NE(both[0], both[1]);
  EXPECT_EQ(vectors(R"({"model":"vectors","input":"cde"})").at(0), both[1])
      << "alone and among others";
}

TEST_F(Embeddings, OfTokenIdsAreThoseOfTheText) {
  const auto text = vectors(R"({"model":"vectors","input":"ab"})");
  EXPECT_EQ(vectors(R"({"model":"vectors","input":[1,3,4,5,2]})"), text);
  EXPECT_EQ(vectors(R"({"model":"vectors","input":[[1,3,4,5,2]]})"), text);
}

TEST_F(Embeddings, OfTokenIdsSayWhoseIdsTheyAre) {
  const Reply right = post("/v1/embeddings", R"({"model":"vectors","input":["ab",[1,3,2]]})");
  EXPECT_THAT(right.headers.at("x-strata-notice"), HasSubstr("this model's own vocabulary"));
  EXPECT_THAT(right.headers.at("x-strata-notice"), HasSubstr("check_embedding_ctx_length=False"));
  EXPECT_EQ(post("/v1/embeddings", R"({"model":"vectors","input":"ab"})")
                .headers.count("x-strata-notice"),
            0u);
  const Reply wrong = post("/v1/embeddings", R"({"model":"vectors","input":[1,791,13180]})");
  EXPECT_EQ(wrong.status, 400) << wrong.body;
  const json::value error = parse_json(wrong.body).at("error");
  EXPECT_EQ(error.at("param"), "input");
  EXPECT_THAT(std::string(error.at("message").as_string()),
              HasSubstr("check_embedding_ctx_length=False"));
}

// Its end is cut, as vLLM cuts what vectors are made of, and as /api/embed does.
TEST_F(Embeddings, AreCutWhereTheRequestSaysSo) {
  const std::string text = "abcdeab";
  std::string long_text;
  for (int i = 0; i < 100; ++i) long_text += "abcde";
  const auto body = [](const std::string& input, const std::string& fields) {
    return R"({"model":"vectors","input":")" + input + "\"" + fields + "}";
  };
  expect_refused("/v1/embeddings", body(long_text, ""), 400, "takes 64");
  expect_refused("/v1/embeddings", body(long_text, R"(,"truncate":false)"), 400, "takes 64");
  for (const char* fields : {R"(,"truncate":true)", R"(,"truncate_prompt_tokens":-1)",
                             R"(,"truncate_prompt_tokens":100000)"}) {
    const Reply cut = post("/v1/embeddings", body(long_text, fields));
    EXPECT_EQ(cut.status, 200) << cut.body;
    EXPECT_THAT(cut.headers.at("x-strata-notice"), HasSubstr("1 of 1 texts")) << fields;
    EXPECT_EQ(parse_json(cut.body).at("usage").at("prompt_tokens"), 64) << fields;
  }
  EXPECT_EQ(vectors(body(text, R"(,"truncate_prompt_tokens":5)")), vectors(body("ab", "")));
  EXPECT_EQ(vectors(body(text, R"(,"truncate":true,"truncate_prompt_tokens":64)")),
            vectors(body(text, "")));
  for (const char* fields : {R"(,"truncate_prompt_tokens":0)", R"(,"truncate_prompt_tokens":-2)",
                             R"(,"truncate_prompt_tokens":8,"truncate":false)",
                             // No token would be left but those that stand around each text.
                             R"(,"truncate_prompt_tokens":1)", R"(,"truncate_prompt_tokens":2)"}) {
    expect_refused("/v1/embeddings", body(text, fields), 400, "truncate_prompt_tokens");
  }
}

TEST_F(Embeddings, HaveTheModelsPromptInFront) {
  const auto plain = [&](const std::string& text) {
    return vectors(R"({"model":"vectors","input":")" + text + R"("})");
  };
  const auto prompted = [&](const std::string& fields) {
    return vectors(R"({"model":"prompted","input":"ab")" + fields + "}");
  };
  EXPECT_EQ(prompted(""), plain("dd ab")) << "the default";
  EXPECT_EQ(prompted(R"(,"prompt_name":"search_query")"), plain("qq ab"));
  EXPECT_EQ(prompted(R"(,"input_type":"query")"), plain("qq ab")) << "another word for it";
  EXPECT_EQ(prompted(R"(,"task":"retrieval.passage")"), plain("dd ab"));
  EXPECT_EQ(prompted(R"(,"prompt_name":"plain")"), plain("ab"));
  EXPECT_EQ(prompted(R"(,"prompt_name":"")"), plain("ab")) << "none at all";
  const auto ollama =
      ask("/api/embed", R"({"model":"prompted","input":"ab","prompt_name":"query"})");
  EXPECT_EQ(json::value_to<Vector>(ollama.at("embeddings").at(0)), plain("qq ab").at(0));
  EXPECT_EQ(vectors(R"({"model":"prompted","input":[1,3,4,5,2]})"), plain("ab"))
      << "ids are read as they come";
}

TEST_F(Embeddings, RefuseAPromptThatIsNotThere) {
  expect_refused("/v1/embeddings", R"({"model":"prompted","input":"ab","input_type":"clustering"})",
                 400, "search_query, document, plain");
  expect_refused("/v1/embeddings", R"({"model":"vectors","input":"ab","prompt_name":"query"})", 400,
                 "no prompt 'query'");
  expect_refused("/v1/embeddings",
                 R"({"model":"prompted","input":"ab","prompt_name":"query","task":"plain"})", 400,
                 "another prompt");
  expect_refused("/v1/embeddings", R"({"model":"prompted","input":[1,2],"prompt_name":"query"})",
                 400, "token ids");
}

TEST_F(Embeddings, InBase64AreTheSameFloats) {
  const auto floats = vectors(R"({"model":"vectors","input":"ab","dimensions":5})").at(0);
  const auto answer = ask("/v1/embeddings",
                          R"({"model":"vectors","input":"ab","dimensions":5,
                              "encoding_format":"base64","user":"me"})");
  const auto text = std::string(answer.at("data").at(0).at("embedding").as_string());
  ASSERT_EQ(text.size(), 28u) << "20 bytes";
  EXPECT_EQ(text.back(), '=');
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int n_bits = 0;
  for (const char c : text.substr(0, 27)) {
    bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
    n_bits += 6;
    if (n_bits >= 8) bytes += static_cast<char>(bits >> (n_bits -= 8) & 255);
  }
  ASSERT_EQ(bytes.size(), 20u);
  Vector decoded(5);
  std::memcpy(decoded.data(), bytes.data(), bytes.size());
  EXPECT_EQ(decoded, floats);
}

TEST_F(Embeddings, WithFewerDimensionsAreTheFirstOnesOfLengthOne) {
  const auto whole = vectors(R"({"model":"vectors","input":"ab"})").at(0);
  const auto part = vectors(R"({"model":"vectors","input":"ab","dimensions":7})").at(0);
  ASSERT_EQ(part.size(), 7u);
  EXPECT_NEAR(length_of(part), 1, 1e-6);
  EXPECT_NEAR(part[3] / part[0], whole[3] / whole[0], 1e-5);
  expect_refused("/v1/embeddings", R"({"model":"vectors","input":"ab","dimensions":33})", 400,
                 "vectors of 32");
}

TEST_F(Embeddings, OfAModelThatGeneratesAreItsLastState) {
  const auto chat = vectors(R"({"model":"chat","input":[[1,5,6],[1,5,7]]})");
  ASSERT_EQ(chat.size(), 2u);
  EXPECT_NEAR(length_of(chat[0]), 1, 1e-6);
  EXPECT_NE(chat[0], chat[1]);
}

TEST_F(Embeddings, RefuseWhatCannotBeRead) {
  const std::string path = "/v1/embeddings";
  expect_refused(path, R"({"model":"vectors"})", 400, "input is missing");
  expect_refused(path, R"({"model":"vectors","input":[]})", 400, "must be a string");
  expect_refused(path, R"({"model":"vectors","input":["a",""]})", 400, "number 1");
  expect_refused(path, R"({"model":"vectors","input":[["a"]]})", 400, "no token id");
  expect_refused(path, R"({"model":"vectors","input":[1,30]})", 400, "vocabulary of 30");
  expect_refused(path, R"({"model":"vectors","input":"a","encoding_format":"hex"})", 400,
                 "float or base64");
  expect_refused(path, R"({"model":"vectors","input":"a","dimension":3})", 400, "dimension");
  expect_refused(path, R"({"model":"none","input":"a"})", 404, "none");
  expect_refused(path, fmt::format(R"({{"model":"vectors","input":"{}"}})", std::string(62, 'a')),
                 400, "65 tokens, the model takes 64");
  std::string many = "\"a\"";
  for (int i = 0; i < 2048; ++i) many += ",\"a\"";
  expect_refused(path, R"({"model":"vectors","input":[)" + many + "]}", 400, "limit is 2048");
}

TEST_F(Embeddings, AreAllThatAnEncoderAnswersWith) {
  const std::string hint = "/v1/embeddings";
  expect_refused("/v1/chat/completions",
                 R"({"model":"vectors","messages":[{"role":"user","content":"a"}]})", 400, hint);
  expect_refused("/v1/completions", R"({"model":"vectors","prompt":"a"})", 400, hint);
  expect_refused("/api/generate", R"({"model":"ranks","prompt":"a"})", 400, "/v1/rerank");
}

TEST_F(Embeddings, AreWhatShowSaysOfAnEncoder) {
  const auto shown = ask("/api/show", R"({"model":"vectors"})");
  EXPECT_EQ(shown.at("capabilities"), json::array{"embedding"});
  EXPECT_EQ(ask("/api/show", R"({"model":"chat"})").at("capabilities"),
            (json::array{"completion", "tools"}));
}

TEST_F(Embeddings, OverOllamasInterfaceAreTheSame) {
  const auto expected = vectors(R"({"model":"vectors","input":["ab","cde"]})");
  const auto answer =
      ask("/api/embed", R"({"model":"vectors","input":["ab","cde"],"keep_alive":"1m"})");
  EXPECT_EQ(json::value_to<std::vector<Vector>>(answer.at("embeddings")), expected);
  EXPECT_EQ(answer.at("prompt_eval_count"), 11);
  const auto one = ask("/api/embed", R"({"model":"vectors","input":"ab","dimensions":0})");
  EXPECT_EQ(json::value_to<std::vector<Vector>>(one.at("embeddings")),
            std::vector<Vector>{expected[0]});
  EXPECT_TRUE(ask("/api/embed", R"({"model":"vectors"})").at("embeddings").as_array().empty());
}

TEST_F(Embeddings, OverOllamasInterfaceAreCutUnlessToldNotTo) {
  const std::string body = R"({"model":"vectors","input":")" + std::string(200, 'a') + "\"";
  const auto answer = ask("/api/embed", body + "}");
  EXPECT_EQ(answer.at("prompt_eval_count"), 64);
  EXPECT_EQ(post("/api/embed", body + "}").headers.at("x-strata-notice"),
            "1 of 1 texts were longer than is read and were cut");
  const auto fitting =
      vectors(fmt::format(R"({{"model":"vectors","input":"{}"}})", std::string(61, 'a')));
  EXPECT_EQ(json::value_to<std::vector<Vector>>(answer.at("embeddings")), fitting)
      << "what comes behind the text stays";
  expect_refused("/api/embed", body + R"(,"truncate":false})", 400, "takes 64");
}

TEST_F(Embeddings, OfTheOlderRouteAreNotNormalised) {
  const auto expected = vectors(R"({"model":"vectors","input":"ab"})").at(0);
  const auto answer = ask("/api/embeddings", R"({"model":"vectors","prompt":"ab"})");
  const auto raw = json::value_to<Vector>(answer.at("embedding"));
  ASSERT_EQ(raw.size(), expected.size());
  const double length = length_of(raw);
  EXPECT_GT(std::abs(length - 1), 1e-3);
  for (size_t i = 0; i < raw.size(); ++i) {
    EXPECT_NEAR(double{raw[i]} / length, double{expected[i]}, 1e-6);
  }
}

TEST_F(Embeddings, RankDocuments) {
  const std::string documents = R"("documents":["b","zz",{"text":"qrs"},"b"])";
  const auto answer = ask("/v1/rerank", R"({"model":"ranks","query":"a",)" + documents + "}");
  const auto& results = answer.at("results").as_array();
  ASSERT_EQ(results.size(), 4u);
  std::map<size_t, double> scores;
  double before = 1;
  for (const auto& result : results) {
    const double score = result.at("relevance_score").to_number<double>();
    EXPECT_LE(score, before);
    EXPECT_GT(score, 0);
    before = score;
    scores[result.at("index").to_number<size_t>()] = score;
  }
  EXPECT_EQ(scores.size(), 4u);
  EXPECT_EQ(scores[0], scores[3]) << "the same document";
  EXPECT_NE(scores[0], scores[1]);
  EXPECT_EQ(answer.at("usage").at("total_tokens"), 7 + 8 + 9 + 7) << "<s> ▁ a </s> ▁ … </s>";

  const auto best = ask("/rerank", R"({"model":"ranks","query":"a","top_n":1,
                                       "return_documents":true,)" +
                                       documents + "}");
  ASSERT_EQ(best.at("results").as_array().size(), 1u);
  EXPECT_EQ(best.at("results").at(0).at("index"), results[0].at("index"));
  EXPECT_TRUE(best.at("results").at(0).at("document").at("text").is_string());
}

TEST_F(Embeddings, RankingSaysHowLikelyEachLabelIs) {
  const auto answer = ask("/v1/rerank", R"({"model":"labels","query":"a","documents":["b","zz"]})");
  for (const auto& result : answer.at("results").as_array()) {
    const json::object& labels = result.at("labels").as_object();
    ASSERT_EQ(labels.size(), 2u);
    EXPECT_EQ(labels.at("alike"), result.at("relevance_score"));
    EXPECT_NEAR(labels.at("alike").to_number<double>() + labels.at("apart").to_number<double>(), 1,
                1e-9);
  }
  const auto without = ask("/v1/rerank", R"({"model":"ranks","query":"a","documents":["b"]})");
  EXPECT_FALSE(without.at("results").at(0).as_object().contains("labels"));
}

TEST_F(Embeddings, ADocumentIsCutWhereItsLimitOrTheModelsIsAndTheAnswerSaysSo) {
  const auto score = [&](const std::string& more, const std::string& notice) {
    const Reply reply = post("/v1/rerank", R"({"model":"ranks","query":"a",)" + more + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    const auto said = reply.headers.find("x-strata-notice");
    EXPECT_EQ(said == reply.headers.end() ? "" : said->second, notice);
    return parse_json(reply.body).at("results").at(0).at("relevance_score").to_number<double>();
  };
  const std::string long_one(100, 'q');
  const double whole = score(R"("documents":["qq"])", "");
  const std::string notice = "1 of 1 texts were longer than is read and were cut";
  // ▁ and two letters are three tokens.
  EXPECT_EQ(score(R"("max_tokens_per_doc":3,"documents":[")" + long_one + "\"]", notice), whole);
  EXPECT_NE(score(R"("documents":[")" + long_one + "\"]", notice), whole);
}

TEST_F(Embeddings, AQueryIsNeverCut) {
  const std::string query(60, 'a');
  for (const char* more : {"", R"("max_tokens_per_doc":10,)"}) {
    expect_refused(
        "/v1/rerank",
        fmt::format(R"({{"model":"ranks",{}"query":"{}","documents":["b","z"]}})", more, query),
        400, "none is left for a document");
  }
}

TEST_F(Embeddings, OfMoreShortTextsThanTheCacheHasBlocks) {
  std::string texts = "[1,5]";
  for (int i = 1; i < 200; ++i) texts += fmt::format(",[1,{}]", 3 + i % 20);
  EXPECT_EQ(vectors(R"({"model":"chat","input":[)" + texts + "]}").size(), 200u);
}

TEST_F(Embeddings, RankingInTheFormOfTextEmbeddingsInference) {
  const auto ours = ask("/v1/rerank", R"({"model":"ranks","query":"a","documents":["b","zz"]})");
  const Reply reply = post("/rerank", R"({"model":"ranks","query":"a","texts":["b","zz"],)"
                                      R"("return_text":true,"truncation_direction":"Right"})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json::array scores = parse_json(reply.body).as_array();
  ASSERT_EQ(scores.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const auto& result = ours.at("results").at(i);
    EXPECT_EQ(scores[i].at("index"), result.at("index"));
    EXPECT_EQ(scores[i].at("score"), result.at("relevance_score"));
    EXPECT_EQ(scores[i].at("text"), scores[i].at("index") == 0 ? "b" : "zz");
  }
  const Reply raw =
      post("/rerank", R"({"model":"ranks","query":"a","texts":["b"],"raw_scores":true})");
  const double score = parse_json(raw.body).at(0).at("score").to_number<double>();
  const Reply likely = post("/rerank", R"({"model":"ranks","query":"a","texts":["b"]})");
  EXPECT_NEAR(parse_json(likely.body).at(0).at("score").to_number<double>(),
              1 / (1 + std::exp(-score)), 1e-6);
  expect_refused("/rerank", R"({"model":"ranks","query":"a","texts":[5]})", 400, "texts");
  expect_refused("/rerank", R"({"model":"ranks","query":"a","texts":["b"],"documents":["b"]})", 400,
                 "documents");
  expect_refused("/rerank",
                 R"({"model":"ranks","query":"a","texts":["b"],"truncation_direction":"Left"})",
                 400, "truncation_direction");
}

// What is wrong is said in the form of who asks; what is not known before he has, in Cohere's.
TEST_F(Embeddings, RankingSaysWhatIsWrongInTheFormThatItWasAskedIn) {
  const auto members = [](const Reply& reply) {
    EXPECT_GE(reply.status, 400) << reply.body;
    const json::value body = parse_json(reply.body);
    std::vector<std::string> names;
    for (const auto& [name, member] : body.as_object()) names.emplace_back(name);
    return names;
  };
  const std::vector<std::string> cohere{"message", "code"}, tei{"error", "error_type"};
  for (const char* path : {"/v1/rerank", "/v2/rerank", "/rerank", "/v1/reranking", "/reranking"}) {
    for (const char* what : {R"("ranks","query":"a","unknown":1)", R"("absent","query":"a")",
                             R"("vectors","query":"a")"}) {
      const std::string head = std::string(R"({"model":)") + what;
      EXPECT_EQ(members(post(path, head + R"(,"texts":["b"]})")), tei) << path << head;
      EXPECT_EQ(members(post(path, head + R"(,"documents":["b"]})")), cohere) << path << head;
    }
    EXPECT_EQ(members(post(path, R"({"model":"ranks","query":"a","texts":null})")), cohere);
    EXPECT_EQ(members(post(path, "{")), cohere);
    EXPECT_EQ(members(fetch(server_->port(), "GET", path)), cohere) << path;
  }
}

TEST_F(Embeddings, RankingTakesTheOneModelInMemory) {
  expect_refused("/v1/rerank", R"({"query":"a","documents":["b"]})", 400, "model is missing");
  ask("/v1/rerank", R"({"model":"ranks","query":"a","documents":["b"]})");
  const auto answer = ask("/v1/rerank", R"({"query":"a","documents":["b"]})");
  EXPECT_TRUE(answer.at("model").as_string().starts_with("ranks"));
}

TEST_F(Embeddings, WithoutANameTheModelIsMeantThatDoesWhatIsAsked) {
  expect_refused("/v1/embeddings", R"({"input":"ab"})", 400, "each of 2 models makes vectors");
  ask("/v1/embeddings", R"({"model":"vectors","input":"ab"})");
  const std::string prompt = R"({"prompt":"ab","max_tokens":2})";
  EXPECT_EQ(ask("/v1/completions", prompt).at("model"), "chat:latest");
  EXPECT_EQ(ask("/completion", prompt).at("model"), "chat:latest");
  EXPECT_EQ(ask("/v1/embeddings", R"({"input":"ab"})").at("model"), "vectors:latest");
}

TEST(EmbeddingsOf, AModelThatWritesAreMeantWhereNoneMakesThemOnly) {
  testing::TinyStore store;
  store.add("chat");
  Gateway gateway;
  gateway.add(make_local_backend({.store = store.path(), .n_threads = 1}));
  Metrics metrics;
  Server server(
      Services{.gateway = &gateway, .metrics = &metrics, .now_ms = [] { return testing::kNowMs; }},
      nullptr);
  ServerOptions options;
  options.port = 0;
  server.start(options);
  const Reply reply = fetch(server.port(), "POST", "/v1/embeddings", R"({"input":"ab"})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  const Reply ranked =
      fetch(server.port(), "POST", "/v1/rerank", R"({"query":"a","documents":["b"]})");
  EXPECT_EQ(ranked.status, 400);
  EXPECT_THAT(ranked.body, HasSubstr("no model here scores texts"));
}

// The ids that its vectors are made of, and back.
TEST_F(Embeddings, TokensOfAModelThatGeneratesNothing) {
  const auto bare = ask("/tokenize", R"({"model":"vectors","content":"ab"})").at("tokens");
  const auto whole =
      ask("/tokenize", R"({"model":"vectors","content":"ab","add_special":true})").at("tokens");
  EXPECT_EQ(ask("/tokenize", R"({"model":"vectors","prompt":"ab"})").at("tokens"), whole);
  EXPECT_EQ(whole.as_array().size(), bare.as_array().size() + 2);
  EXPECT_EQ(json::array(whole.as_array().begin() + 1, whole.as_array().end() - 1), bare);
  const auto of_ids = [&](const json::value& input) {
    return vectors(R"({"model":"vectors","input":)" + to_json(input) + "}").at(0);
  };
  EXPECT_EQ(of_ids(whole), of_ids("ab"));
  const auto back =
      ask("/detokenize", R"({"model":"vectors","tokens":)" + to_json(bare) + "}").at("content");
  EXPECT_EQ(back, "ab");
  expect_refused("/completion", R"({"model":"vectors","prompt":[1,2]})", 400, "makes vectors");
}

TEST_F(Embeddings, RankingRefusesWhatItCannotDo) {
  expect_refused("/v1/rerank", R"({"model":"vectors","query":"a","documents":["b"]})", 400,
                 "choose a reranker");
  expect_refused("/v1/rerank", R"({"model":"ranks","documents":["b"]})", 400, "query");
  expect_refused("/v1/rerank", R"({"model":"ranks","query":"a","documents":[]})", 400, "documents");
  expect_refused("/v1/rerank", R"({"model":"ranks","query":"a","documents":[{"title":"b"}]})", 400,
                 "number 0");
}

TEST_F(Embeddings, ManyRequestsAtOnceGetTheSameAsOneAlone) {
  const auto expected = vectors(R"({"model":"vectors","input":["ab","cde"]})");
  std::vector<std::thread> clients;
  std::atomic<int> n_right = 0;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      const Reply reply = post("/v1/embeddings", R"({"model":"vectors","input":["cde","ab"]})");
      const auto answer = parse_json(reply.body);
      const auto& data = answer.at("data").as_array();
      n_right += json::value_to<Vector>(data.at(0).at("embedding")) == expected[1] &&
                 json::value_to<Vector>(data.at(1).at("embedding")) == expected[0];
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(n_right, 8);
}

}  // namespace
}  // namespace strata::api
