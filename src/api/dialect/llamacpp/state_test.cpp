// What llama.cpp's routes say of a model that is in no memory yet, and of its prompts.
#include <gtest/gtest.h>

#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_backend.h"
#include "core/json.h"
#include "models/testing/formula_model.h"

namespace strata::api {
namespace {

using testing::fetch;
using testing::Reply;

// A template whose turns are closed.
std::string model_of_turns() {
  auto builder = models::tiny_llama();
  builder.set_u32("llama.context_length", 64);
  builder.set_text("tokenizer.chat_template",
                   "{% for message in messages %}<{{ message.role }}>{{ message.content }}<end>"
                   "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}");
  const auto bytes = builder.build();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class LlamaState : public ::testing::Test {
 protected:
  LlamaState() { store_.add("tiny", model_of_turns()); }

  json::value get(const std::string& path) {
    const Reply reply = fetch(running_.port(), "GET", path);
    EXPECT_EQ(reply.status, 200) << path << reply.body;
    return parse_json(reply.body);
  }
  Reply post(const std::string& path, const std::string& body) {
    return fetch(running_.port(), "POST", path, body);
  }

  testing::TinyStore store_;
  testing::Running running_{testing::tiny_backend(store_)};
};

TEST_F(LlamaState, AModelThatIsNotInMemoryHasThePlacesThatItWouldGet) {
  const auto props = get("/props");
  EXPECT_EQ(props.at("is_sleeping"), true);
  EXPECT_GE(props.at("total_slots").to_number<int>(), 1);
  EXPECT_EQ(props.at("default_generation_settings").at("n_ctx"), 64);
  for (const char* query : {"", "?fail_on_no_slot=1", "?fail_on_no_slot", "?fail_on_no_slot=0"}) {
    const auto slots = get("/slots" + std::string(query)).as_array();
    ASSERT_GE(slots.size(), 1u) << query;
    EXPECT_EQ(slots[0].at("n_ctx"), 64);
    EXPECT_EQ(slots[0].at("is_processing"), false);
  }
}

TEST(LlamaStates, AModelThatIsNotInMemoryHasTheContextThatTheServerGivesIt) {
  testing::TinyStore store;
  store.add("tiny", model_of_turns());
  testing::Running running(testing::tiny_backend(store, 3, 8, 32));
  for (const char* when : {"before it is loaded", "afterwards"}) {
    const auto props = parse_json(fetch(running.port(), "GET", "/props").body);
    EXPECT_EQ(props.at("default_generation_settings").at("n_ctx"), 32) << when;
    EXPECT_EQ(props.at("total_slots"), 3) << when;
    fetch(running.port(), "POST", "/completion", R"({"prompt":"t5","n_predict":1})");
  }
}

TEST_F(LlamaState, ALastMessageOfTheAssistantIsLeftOpen) {
  const auto prompt = [&](const std::string& more) {
    const Reply reply = post("/apply-template", R"({"messages":[{"role":"user","content":"t5"},)"
                                                R"({"role":"assistant","content":"t6"}])" +
                                                    more + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return std::string(parse_json(reply.body).at("prompt").as_string());
  };
  EXPECT_EQ(prompt(""), "<user>t5<end><assistant>t6");
  EXPECT_EQ(prompt(R"(,"add_generation_prompt":true)"), "<user>t5<end><assistant>t6");
  EXPECT_EQ(prompt(R"(,"add_generation_prompt":false)"), "<user>t5<end><assistant>t6<end>");
  EXPECT_EQ(prompt(R"(,"continue_final_message":true)"), "<user>t5<end><assistant>t6");
}

TEST_F(LlamaState, GoingOnAndBeginningAreNotBothAskedForAsInAChat) {
  const std::string body = R"({"model":"tiny","messages":[{"role":"assistant","content":"t6"}],)"
                           R"("continue_final_message":true,"add_generation_prompt":true})";
  for (const char* path : {"/apply-template", "/v1/chat/completions"}) {
    EXPECT_EQ(post(path, body).status, 400) << path;
  }
}

TEST_F(LlamaState, ADrawnSeedIsOneThatJavaScriptReads) {
  for (int i = 0; i < 3; ++i) {
    const Reply reply = post("/completion", R"({"prompt":"t5","n_predict":1})");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const auto seed = parse_json(reply.body).at("generation_settings").at("seed");
    EXPECT_GE(seed.to_number<int64_t>(), 0);
    EXPECT_LT(seed.to_number<uint64_t>(), 0xffffffffu);
  }
}

TEST_F(LlamaState, APromptOverTheContextIsRefusedWithBothNumbers) {
  const std::string ids = to_json(json::array(70, 5));
  for (const char* when : {"while the model is loaded", "with the model in memory"}) {
    SCOPED_TRACE(when);
    const Reply reply = post("/completion", R"({"prompt":)" + ids + "}");
    EXPECT_EQ(reply.status, 400);
    const auto error = parse_json(reply.body).at("error");
    EXPECT_EQ(error.at("type"), "exceed_context_size_error");
    EXPECT_EQ(error.at("n_prompt_tokens"), 70);
    EXPECT_EQ(error.at("n_ctx"), 64);
  }
}

}  // namespace
}  // namespace strata::api
