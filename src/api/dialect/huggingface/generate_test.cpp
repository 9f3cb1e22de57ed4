// Hugging Face's text generation over a real socket, answered by the scripted backend.
#include <gtest/gtest.h>

#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "core/json.h"

namespace strata::api {
namespace {

using testing::fetch;
using testing::Reply;
using testing::Running;

std::vector<json::object> events_of(std::string_view body) {
  std::vector<json::object> events;
  for (size_t end = body.find("\n\n"); end != std::string_view::npos; end = body.find("\n\n")) {
    EXPECT_TRUE(body.starts_with("data:")) << body;
    events.push_back(parse_json(body.substr(5, end - 5)).as_object());
    body.remove_prefix(end + 2);
  }
  return events;
}

class HfGenerate : public ::testing::Test {
 protected:
  Reply post(const std::string& path, const std::string& body) {
    return fetch(running_.port(), "POST", path, body);
  }
  json::value ask(const std::string& path, const std::string& body) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, 200) << path << " " << body << " " << reply.body;
    return parse_json(reply.body);
  }
  json::value generate(const std::string& parameters) {
    return ask("/generate",
               R"({"model":"echo","inputs":"a b c","parameters":{)" + parameters + "}}");
  }
  std::string refusal(const std::string& path, const std::string& body, int status = 400) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, status) << path << " " << body << " " << reply.body;
    return std::string(parse_json(reply.body).at("error").as_string());
  }
  Running running_;
};

TEST_F(HfGenerate, EachAddressHasItsOwnShape) {
  EXPECT_EQ(generate(""), parse_json(R"({"generated_text":"a b c"})"));
  const std::string body = R"({"model":"echo","inputs":"a b c"})";
  EXPECT_EQ(ask("/", body), parse_json(R"([{"generated_text":"a b c"}])"));
  for (const char* path : {"/models/echo", "/models/echo/pipeline/text-generation",
                           "/pipeline/text-generation/echo"}) {
    EXPECT_EQ(ask(path, R"({"inputs":"a b c"})"), parse_json(R"([{"generated_text":"a b c"}])"));
  }
  const auto chat =
      parse_json(post("/models/echo/v1/chat/completions",
                      R"({"model":"tgi","messages":[{"role":"user","content":"a b"}]})")
                     .body);
  EXPECT_EQ(chat.at("model"), "echo");
  EXPECT_EQ(chat.at("choices").at(0).at("message").at("content"), "a b");
  const std::string completed =
      post("/models/echo/v1/completions", R"({"model":"http://x/models/echo","prompt":"a b"})")
          .body;
  EXPECT_EQ(parse_json(completed).at("choices").at(0).at("text"), "a b");
  EXPECT_EQ(fetch(running_.port(), "GET", "/").body, "Strata is running");
  EXPECT_EQ(post("/generate", R"({"inputs":"a","stream":true,"model":"echo"})")
                .headers.at("content-type"),
            "application/json")
      << "this address never streams";
}

TEST_F(HfGenerate, DetailsTellTokensAndWhyItEnded) {
  const auto details =
      generate(R"("details":true,"decoder_input_details":true,"top_n_tokens":2,"max_new_tokens":2)")
          .at("details");
  EXPECT_EQ(details.at("finish_reason"), "length");
  EXPECT_EQ(details.at("generated_tokens"), 2);
  ASSERT_EQ(details.at("tokens").as_array().size(), 2u);
  EXPECT_EQ(details.at("tokens").at(1).at("text"), " b");
  EXPECT_EQ(details.at("tokens").at(1).at("special"), false);
  EXPECT_LT(details.at("tokens").at(1).at("logprob").to_number<double>(), 0);
  EXPECT_EQ(details.at("prefill").as_array().size(), 3u);
  EXPECT_EQ(details.at("top_tokens").at(0).as_array().size(), 2u);
  EXPECT_EQ(generate(R"("details":true)").at("details").at("finish_reason"), "eos_token");
  EXPECT_EQ(generate(R"("details":true,"stop":["c"])").at("details").at("finish_reason"),
            "stop_sequence");
}

TEST_F(HfGenerate, AStreamEndsWithItsLastTokenAndAllOfTheText) {
  const Reply reply = post("/generate_stream",
                           R"({"model":"echo","inputs":"a b c","parameters":{"top_n_tokens":1}})");
  const auto events = events_of(reply.body);
  ASSERT_EQ(events.size(), 3u);
  std::string text;
  for (size_t i = 0; i < events.size(); ++i) {
    text += events[i].at("token").at("text").as_string();
    EXPECT_EQ(events[i].at("index"), i + 1);
    EXPECT_EQ(events[i].at("top_tokens").as_array().size(), 1u);
    EXPECT_EQ(events[i].at("generated_text").is_null(), i < 2);
    EXPECT_EQ(events[i].at("details").is_null(), i < 2);
  }
  EXPECT_EQ(text, "a b c");
  EXPECT_EQ(events[2].at("generated_text"), "a b c");
  EXPECT_EQ(events[2].at("details").at("generated_tokens"), 3);
  EXPECT_EQ(events[2].at("details").at("input_length"), 3);
  EXPECT_EQ(events_of(post("/models/echo", R"({"inputs":"a b","stream":true})").body).size(), 2u);
}

TEST_F(HfGenerate, ParametersHaveTheirEffect) {
  EXPECT_EQ(generate(R"("return_full_text":true,"max_new_tokens":1)").at("generated_text"),
            "a b ca");
  EXPECT_EQ(generate(R"("truncate":2,"details":true,"decoder_input_details":true)")
                .at("details")
                .at("prefill")
                .as_array()
                .size(),
            2u);
  const std::string babble = R"({"model":"babble","inputs":"x","parameters":{"max_new_tokens":8,)";
  const auto best = ask("/generate", babble + R"("seed":3,"best_of":3,"details":true}})");
  ASSERT_EQ(best.at("details").at("best_of_sequences").as_array().size(), 2u);
  const auto total = [](const json::value& details) {
    double sum = 0;
    for (const auto& token : details.at("tokens").as_array()) {
      sum += token.at("logprob").to_number<double>();
    }
    return sum;
  };
  for (const auto& other : best.at("details").at("best_of_sequences").as_array()) {
    EXPECT_GE(total(best.at("details")), total(other));
  }
  EXPECT_EQ(ask("/generate", babble + R"("seed":3}})"), ask("/generate", babble + R"("seed":3}})"));
}

TEST_F(HfGenerate, GreedyChoiceNamesWhatItLeavesOut) {
  const Reply reply =
      post("/generate", R"({"model":"echo","inputs":"a","options":{"use_cache":false},)"
                        R"("parameters":{"do_sample":false,"top_p":0.5}})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.headers.at("x-strata-ignored"), "parameters.top_p, options.use_cache");
}

TEST_F(HfGenerate, WhatCannotBeDoneIsNamed) {
  for (const char* field :
       {R"("watermark":true)", R"("adapter_id":"x")", R"("best_of":0)",
        R"("decoder_input_details":true)", R"("top_n_tokens":2)", R"("max_new_tokens":0)",
        R"("truncate":0)", R"("temperature":"hot")", R"("grammar":{"type":"yaml","value":"a"})",
        R"("grammar":{"type":"json","value":"no"})", R"("grammar":{"type":"regex"})",
        R"("no_such_field":1)", R"("stop":[1])", R"("best_of":2,"do_sample":false)"}) {
    const std::string text(field);
    const std::string name = text.substr(1, text.find('"', 1) - 1);
    const std::string told =
        refusal("/generate", R"({"model":"echo","inputs":"a","parameters":{)" + text + "}}");
    EXPECT_NE(told.find(name), std::string::npos) << text << " " << told;
  }
  refusal("/generate", R"({"model":"echo"})");
  refusal("/generate", R"({"model":"echo","inputs":"a","no_such_field":1})");
  refusal("/generate_stream", R"({"model":"echo","inputs":"a","parameters":{"best_of":2}})");
  refusal("/pipeline/image-to-text/echo", R"({"inputs":"a"})", 501);
  refusal("/pipeline/text-generation", R"({"inputs":"a"})", 404);
  refusal("/models/nobody", R"({"inputs":"a"})", 404);
}

TEST_F(HfGenerate, AModelsAddressSaysWhatItIs) {
  for (const char* path : {"/models/echo/info", "/models/echo", "/info?model=echo"}) {
    const auto info = parse_json(fetch(running_.port(), "GET", path).body);
    EXPECT_EQ(info.at("model_id"), "echo");
    EXPECT_EQ(info.at("model_pipeline_tag"), "text-generation");
    EXPECT_EQ(info.at("max_total_tokens"), 4096);
  }
  EXPECT_EQ(fetch(running_.port(), "GET", "/models/echo/health").status, 200);
  EXPECT_EQ(fetch(running_.port(), "GET", "/models/nobody/health").status, 404);
}

}  // namespace
}  // namespace strata::api
