// Folders that fill in masks, end to end: pulled by their path, asked under /models/NAME.
// testdata/fill_mask_*.json has what transformers' pipeline answers (tests/oracle/mask_filler.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/gateway/local.h"
#include "api/server.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_backend.h"
#include "core/os.h"
#include "core/testing/temp_folder.h"
#include "models/hub/pull.h"
#include "models/testing/hf_model.h"

namespace strata::api {
namespace {

using testing::fetch;
using ::testing::HasSubstr;
using testing::Reply;

constexpr double kNear = 1e-6;

class FillMask : public ::testing::Test {
 protected:
  FillMask() {
    for (const char* name : {"words", "bytes", "pieces"}) add(name, name, "");
    // What a Metaspace decoder makes a blank of, which it drops where a text begins.
    add("blank", "pieces", "{\"mask_token\": \"\u2581\"}");
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

  static json::value fixture(const std::string& name) {
    return parse_json(read_file(
        STRATA_SOURCE_DIR "/src/api/dialect/huggingface/testdata/fill_mask_" + name + ".json"));
  }

  Reply post(const std::string& path, const json::value& body) {
    return fetch(server_->port(), "POST", path, to_json(body));
  }
  Reply get(const std::string& path) { return fetch(server_->port(), "GET", path, ""); }
  std::string refusal(const json::value& body, const std::string& path = "/models/words",
                      int status = 400) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, status) << reply.body;
    return std::string(parse_json(reply.body).at("error").as_string());
  }

 private:
  void add(const std::string& name, const std::string& described_by, std::string_view settings) {
    const json::value described = fixture(described_by);
    const auto folder = folder_.path() / name;
    std::filesystem::create_directories(folder);
    models::write_hf_folder(folder, described.at("config").as_object(),
                            described.at("tensors").as_object());
    write_file_atomic(folder / "tokenizer.json", to_json(described.at("tokenizer")));
    if (!settings.empty()) write_file_atomic(folder / "tokenizer_config.json", settings);
    models::PullOptions options;
    options.as = name;
    models::pull(store_.store(), "file:" + folder.string(), options);
  }

  strata::testing::TempFolder folder_;
  testing::TinyStore store_;
  Gateway gateway_;
  Metrics metrics_;
  std::unique_ptr<Server> server_;
};

// Lists within lists end in guesses.
void expect_answer(const json::value& actual, const json::value& expected,
                   const std::string& asked) {
  if (!expected.is_array()) {
    EXPECT_NEAR(actual.at("score").to_number<double>(), expected.at("score").to_number<double>(),
                kNear)
        << asked;
    for (const char* field : {"token", "token_str", "sequence"}) {
      EXPECT_EQ(actual.at(field), expected.at(field)) << asked;
    }
    return;
  }
  ASSERT_TRUE(actual.is_array()) << asked;
  ASSERT_EQ(actual.as_array().size(), expected.as_array().size()) << asked;
  for (size_t i = 0; i < expected.as_array().size(); ++i) {
    expect_answer(actual.at(i), expected.at(i), asked);
  }
}

TEST_F(FillMask, AnswersAsItsReferencesPipeline) {
  for (const char* name : {"words", "bytes", "pieces"}) {
    const json::value described = fixture(name);
    for (const auto& asked : described.at("asked").as_array()) {
      const std::string body = std::string(name) + " " + to_json(asked.at("body"));
      const Reply reply = post(fmt::format("/models/{}", name), asked.at("body"));
      ASSERT_EQ(reply.status, 200) << body << reply.body;
      expect_answer(parse_json(reply.body), asked.at("answer"), body);
    }
  }
}

json::object with(const json::object& parameters) {
  return {{"inputs", "a [MASK]"}, {"parameters", parameters}};
}

json::object texts(const json::value& inputs) {
  json::object body;
  body["inputs"] = inputs;
  return body;
}

TEST_F(FillMask, TheTaskHasANameAndVectorsAreThereBesides) {
  const json::object body = texts("a [MASK]");
  const std::string answer = post("/models/words", body).body;
  EXPECT_EQ(post("/models/words/pipeline/fill-mask", body).body, answer);
  EXPECT_EQ(post("/pipeline/fill-mask/words", body).body, answer);
  const Reply info = get("/models/words");
  EXPECT_EQ(parse_json(info.body).at("model_pipeline_tag"), "fill-mask");
  const Reply vectors = post("/models/words/pipeline/feature-extraction", texts("a cat"));
  EXPECT_EQ(parse_json(vectors.body).at(0).as_array().size(), 36u);
}

TEST_F(FillMask, WhatIsNoTargetIsTold) {
  const auto notice_of = [&](const json::array& targets) {
    const Reply reply = post("/models/words", with({{"targets", targets}}));
    const auto notice = reply.headers.find("x-strata-notice");
    return notice == reply.headers.end() ? std::string() : notice->second;
  };
  EXPECT_EQ(notice_of({"cat", "the"}), "");
  EXPECT_THAT(notice_of({"cat", "catty", ""}),
              HasSubstr("of 3 targets 1 are not in the vocabulary and count as the first token of "
                        "their text, 1 have no token"));
}

TEST_F(FillMask, OtherMarksAreText) {
  const auto guesses = parse_json(post("/models/words", texts("a [SEP] [MASK]")).body);
  EXPECT_THAT(std::string(guesses.at(0).at("sequence").as_string()), HasSubstr("a sep"));
}

TEST_F(FillMask, WhatCannotBeAnsweredIsRefused) {
  EXPECT_THAT(refusal(texts("no mask")), HasSubstr("write [MASK] where"));
  EXPECT_THAT(refusal(texts("<mask>")), HasSubstr("a text has no mask"));
  EXPECT_THAT(refusal(texts(json::array{"a [MASK]", "none"})), HasSubstr("a text has no mask"));
  EXPECT_THAT(refusal(texts(json::array())), HasSubstr("inputs"));
  EXPECT_THAT(refusal(json::object()), HasSubstr("inputs"));
  EXPECT_THAT(refusal(with({{"top_k", 0}})), HasSubstr("top_k"));
  EXPECT_THAT(refusal(with({{"top_k", 83}})), HasSubstr("the vocabulary has 82 tokens"));
  EXPECT_THAT(refusal(with({{"targets", json::array()}})), HasSubstr("targets"));
  EXPECT_THAT(refusal(with({{"targets", json::array{""}}})), HasSubstr("none of the 1 targets"));
  EXPECT_THAT(refusal(with({{"tokenizer_kwargs", json::object()}})), HasSubstr("tokenizer_kwargs"));
  std::string long_text, masks;
  for (int i = 0; i < 70; ++i) long_text += "a ";
  for (int i = 0; i < 33; ++i) masks += "[MASK]";
  EXPECT_THAT(refusal(texts(json::string(long_text + "[MASK]"))), HasSubstr("the model takes 64"));
  EXPECT_THAT(refusal(texts(json::string(masks))), HasSubstr("33 masks, the limit is 32"));
  EXPECT_THAT(refusal(texts("a [MASK]"), "/models/chat/pipeline/fill-mask", 400),
              HasSubstr("no head that fills in masks"));
}

// A vocabulary of 82 tokens: 27 texts of 30 masks have 66,420 guesses.
TEST_F(FillMask, AnAnswerOfTooManyGuessesIsRefused) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "[MASK]";
  json::object body = texts(json::array(27, json::string(text)));
  body["parameters"] = json::object{{"top_k", 82}};
  EXPECT_THAT(refusal(body), HasSubstr("at most 65536 guesses"));
}

TEST_F(FillMask, AMaskThatReadsAsNothingIsRefused) {
  EXPECT_THAT(refusal(texts("a cat"), "/models/blank/pipeline/fill-mask", 400),
              HasSubstr("reads as no text"));
}

}  // namespace
}  // namespace strata::api
