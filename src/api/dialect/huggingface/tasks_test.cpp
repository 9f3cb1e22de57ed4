// Hugging Face's tasks of vectors and classes, and llama.cpp's routes that need a real vocabulary,
// by the engine itself on tiny models.
#include <cmath>

#include <gtest/gtest.h>

#include "api/gateway/local.h"
#include "api/server.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_backend.h"

namespace strata::api {
namespace {

using testing::fetch;
using testing::Reply;
using Vector = std::vector<float>;

std::string bytes_of(const models::GgufBuilder& builder) {
  const auto bytes = builder.build();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class HfTasks : public ::testing::Test {
 protected:
  HfTasks() {
    store_.add("vectors", bytes_of(models::tiny_bert()));
    store_.add("classes", bytes_of(models::tiny_bert(true)));
    store_.add("chat");
    gateway_.add(testing::tiny_backend(store_));
    Services services;
    services.gateway = &gateway_;
    services.metrics = &metrics_;
    services.now_ms = [] { return testing::kNowMs; };
    server_ = std::make_unique<Server>(std::move(services), nullptr);
    ServerOptions options;
    options.port = 0;
    server_->start(options);
  }

  Reply post(const std::string& path, const std::string& body) {
    return fetch(server_->port(), "POST", path, body);
  }
  json::value ask(const std::string& path, const std::string& body) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 200) << path << " " << body << " " << reply.body;
    return parse_json(reply.body);
  }

  testing::TinyStore store_;
  Gateway gateway_;
  Metrics metrics_;
  std::unique_ptr<Server> server_;
};

TEST_F(HfTasks, AnAddressWithoutAModelIsNoModels) {
  for (const char* path : {"/models//pipeline/feature-extraction", "/models//v1/chat/completions",
                           "/models//v1/completions"}) {
    const Reply reply = post(path, R"({"inputs":"ab"})");
    EXPECT_EQ(reply.status, 404) << path << " " << reply.body;
    EXPECT_NE(reply.body.find("/models/MODEL/pipeline/TASK"), std::string::npos) << reply.body;
  }
}

TEST_F(HfTasks, AModelsAddressAnswersWithWhatItIsFor) {
  const auto vectors = ask("/models/vectors", R"({"inputs":["ab","cde"]})").as_array();
  ASSERT_EQ(vectors.size(), 2u);
  EXPECT_EQ(vectors[0].as_array().size(), 32u);
  const auto openai = ask("/v1/embeddings", R"({"model":"vectors","input":"cde"})");
  EXPECT_EQ(vectors[1], openai.at("data").at(0).at("embedding"));
  EXPECT_EQ(ask("/pipeline/feature-extraction/vectors", R"({"inputs":"cde"})").at(0), vectors[1]);
  const auto classes = ask("/models/classes", R"({"inputs":"ab"})");
  EXPECT_EQ(classes.at(0).at(0).at("label"), "LABEL_0");
  EXPECT_TRUE(ask("/models/chat", R"({"inputs":"ab","parameters":{"max_new_tokens":2}})")
                  .at(0)
                  .as_object()
                  .contains("generated_text"));
}

TEST_F(HfTasks, SentencesAreComparedByTheirCosine) {
  const auto cosines = ask("/models/vectors/pipeline/sentence-similarity",
                           R"({"inputs":{"source_sentence":"ab","sentences":["ab","cde"]}})")
                           .as_array();
  ASSERT_EQ(cosines.size(), 2u);
  EXPECT_NEAR(cosines[0].to_number<double>(), 1.0, 1e-6);
  EXPECT_LT(cosines[1].to_number<double>(), 1.0 - 1e-6);
  EXPECT_EQ(post("/models/vectors", R"({"inputs":{"sentences":["a"]}})").status, 400);
}

TEST_F(HfTasks, AClassIsAShareOrWhatTheCallerWants) {
  const auto score = [&](const std::string& more) {
    return ask("/models/classes", R"({"inputs":"ab")" + more + "}")
        .at(0)
        .at(0)
        .at("score")
        .to_number<double>();
  };
  const double raw = score(R"(,"parameters":{"function_to_apply":"none"})");
  EXPECT_NEAR(score(""), 1 / (1 + std::exp(-raw)), 1e-9);
  EXPECT_EQ(
      post("/models/classes", R"({"inputs":"a","parameters":{"function_to_apply":"x"}})").status,
      400);
  EXPECT_EQ(post("/models/vectors/pipeline/text-classification", R"({"inputs":"a"})").status, 400);
}

TEST_F(HfTasks, UnnormalizedVectorsPointTheSameWay) {
  const auto unit = json::value_to<Vector>(ask("/models/vectors", R"({"inputs":"ab"})").at(0));
  const auto raw =
      json::value_to<Vector>(ask("/models/vectors", R"({"inputs":"ab","normalize":false})").at(0));
  const double ratio = double{raw[0]} / double{unit[0]};
  EXPECT_GT(std::abs(ratio - 1), 1e-3);
  for (size_t i = 0; i < raw.size(); ++i) EXPECT_NEAR(raw[i], unit[i] * ratio, 1e-5);
}

TEST_F(HfTasks, LlamaCppsVectorsAreNormalizedAsAsked) {
  const auto vector = [&](const std::string& more) {
    const auto list = ask("/embedding", R"({"model":"vectors","content":"ab")" + more + "}");
    EXPECT_EQ(list.at(0).at("index"), 0);
    return json::value_to<Vector>(list.at(0).at("embedding").at(0));
  };
  const auto norm = [](const Vector& v, double order) {
    double sum = 0;
    for (const float x : v) sum += std::pow(std::abs(double{x}), order);
    return std::pow(sum, 1 / order);
  };
  EXPECT_NEAR(norm(vector(""), 2), 1, 1e-5);
  EXPECT_NEAR(norm(vector(R"(,"embd_normalize":1)"), 1), 1, 1e-5);
  EXPECT_NEAR(norm(vector(R"(,"embd_normalize":3)"), 3), 1, 1e-5);
  EXPECT_GT(std::abs(norm(vector(R"(,"embd_normalize":-1)"), 2) - 1), 1e-3);
  const auto both =
      ask("/embeddings", R"({"model":"vectors","input":["ab",[1,3,4,5,2]]})").as_array();
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].at("embedding"), both[1].at("embedding")) << "ids are those of the text";
}

TEST_F(HfTasks, AChatsPromptIsWhatItsTemplateWrites) {
  const auto answer =
      ask("/apply-template", R"({"model":"chat","messages":[{"role":"user","content":"a b"},)"
                             R"({"role":"assistant","content":"c"}]})");
  EXPECT_EQ(answer.at("prompt"), "a b c") << "the answer goes on with it";
  EXPECT_EQ(post("/apply-template", R"({"model":"chat"})").status, 400);
}

TEST_F(HfTasks, APromptOfIdsAndTextIsReadAsOne) {
  const auto answer =
      ask("/completion", R"({"model":"chat","prompt":[1,3,"ab"],"n_predict":2,"temperature":0,)"
                         R"("return_tokens":true,"ignore_eos":true})");
  EXPECT_EQ(answer.at("tokens").as_array().size(), 2u);
  EXPECT_EQ(answer.at("generation_settings").at("temperature").to_number<double>(), 0.0);
  const auto text = ask("/completion", R"({"model":"chat","prompt":"ab","n_predict":1})");
  const auto n_text = text.at("tokens_evaluated").as_int64();
  EXPECT_EQ(answer.at("tokens_evaluated").as_int64(), 2 + n_text - 1) << "one BOS, if any";
}

}  // namespace
}  // namespace strata::api
