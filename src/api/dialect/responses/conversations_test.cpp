// Conversations, their items, and responses that are a part of them.
#include "api/dialect/responses/stored_chats.h"
#include "api/dialect/responses/testing/served.h"

namespace strata::api::responses {
namespace {

class Conversations : public Served {
 protected:
  std::string make(const std::string& body = "{}") const {
    return id_of(ok("POST", "/v1/conversations", body));
  }
  // The texts of all items, oldest first.
  std::vector<std::string> texts(const std::string& id) const {
    std::vector<std::string> all;
    const auto list = ok("GET", "/v1/conversations/" + id + "/items?order=asc&limit=100");
    for (const json::value& item : list.at("data").as_array()) {
      all.emplace_back(item.at("content").at(0).at("text").as_string());
    }
    return all;
  }
};

using Texts = std::vector<std::string>;

TEST_F(Conversations, AreMadeChangedAndDeleted) {
  const auto made = ok("POST", "/v1/conversations",
                       R"({"metadata":{"topic":"x"},"items":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(made.at("object"), "conversation");
  EXPECT_EQ(made.at("created_at"), testing::kNowMs / 1000);
  const std::string path = "/v1/conversations/" + id_of(made);
  EXPECT_EQ(ok("GET", path), made);
  EXPECT_EQ(ok("POST", path, R"({"metadata":{"topic":"y"}})").at("metadata").at("topic"), "y");
  EXPECT_EQ(ok("GET", path).at("metadata").at("topic"), "y");
  EXPECT_EQ(texts(id_of(made)), Texts{"hi"});
  EXPECT_EQ(ok("DELETE", path).at("object"), "conversation.deleted");
  EXPECT_EQ(call("GET", path).status, 404);
  EXPECT_EQ(call("GET", path + "/items").status, 404);
}

TEST_F(Conversations, ItemsAreAddedFetchedAndRemoved) {
  const std::string path = "/v1/conversations/" + make();
  const auto added = ok("POST", path + "/items",
                        R"({"items":[{"role":"user","content":"one"},)"
                        R"({"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]})");
  ASSERT_EQ(added.at("data").as_array().size(), 2u);
  const std::string first = id_of(added.at("data").at(0));
  EXPECT_EQ(ok("GET", path + "/items/" + first), added.at("data").at(0));
  EXPECT_EQ(ok("DELETE", path + "/items/" + first).at("object"), "conversation");
  EXPECT_EQ(call("GET", path + "/items/" + first).status, 404);
  EXPECT_EQ(call("DELETE", path + "/items/" + first).status, 404);
  EXPECT_EQ(ok("GET", path + "/items").at("data").as_array().size(), 1u);
}

TEST_F(Conversations, AListGoesOnBehindItsLastItem) {
  const std::string id =
      make(R"({"items":[{"role":"user","content":"1"},{"role":"user","content":"2"},)"
           R"({"role":"user","content":"3"}]})");
  const std::string path = "/v1/conversations/" + id + "/items?order=asc&limit=2";
  const auto page = ok("GET", path);
  EXPECT_EQ(page.at("has_more"), true);
  const auto rest = ok("GET", path + "&after=" + std::string(page.at("last_id").as_string()));
  EXPECT_EQ(rest.at("has_more"), false);
  ASSERT_EQ(rest.at("data").as_array().size(), 1u);
  EXPECT_EQ(rest.at("data").at(0).at("content").at(0).at("text"), "3");
  for (const std::string query : {"limit=0", "limit=101", "limit=x", "order=up"}) {
    EXPECT_EQ(call("GET", "/v1/conversations/" + id + "/items?" + query).status, 400) << query;
  }
  EXPECT_EQ(call("GET", "/v1/conversations/" + id + "/items?after=nobody").status, 404);
}

TEST_F(Conversations, AResponseReadsWhatIsThereAndAddsWhatWasSaid) {
  const std::string id = make(R"({"items":[{"role":"user","content":"before"}]})");
  const auto made = ask(R"("input":"now","conversation":")" + id + "\"");
  EXPECT_EQ(made.at("conversation").at("id"), json::string(id));
  EXPECT_EQ(texts(id), (Texts{"before", "now", "now"}));
  const auto more = ask(R"("input":"then","store":false,"conversation":{"id":")" + id + "\"}");
  EXPECT_EQ(texts(id), (Texts{"before", "now", "now", "then", "then"}));
  EXPECT_GT(more.at("usage").at("input_tokens").as_int64(),
            made.at("usage").at("input_tokens").as_int64());
}

TEST_F(Conversations, AFailedAnswerAddsNothing) {
  const std::string id = make();
  EXPECT_EQ(call("POST", "/v1/responses",
                 R"({"model":"demo","input":"break","conversation":")" + id + "\"}")
                .status,
            500);
  EXPECT_TRUE(texts(id).empty());
}

TEST_F(Conversations, InputTokensAreThoseOfTheAnswer) {
  const std::string id = make(R"({"items":[{"role":"user","content":"before"}]})");
  const std::string fields = R"("instructions":"be kind","input":"now","conversation":")" + id;
  const auto counted =
      ok("POST", "/v1/responses/input_tokens", R"({"model":"demo",)" + fields + "\"}");
  EXPECT_EQ(counted.at("object"), "response.input_tokens");
  EXPECT_EQ(texts(id), Texts{"before"});
  EXPECT_EQ(counted.at("input_tokens"), ask(fields + "\"").at("usage").at("input_tokens"));
}

TEST_F(Conversations, ACompactionStandsForWhatWasSaid) {
  const auto first = ask(R"("input":"alpha beta")");
  const auto compacted = ok("POST", "/v1/responses/compact",
                            R"({"model":"demo","previous_response_id":")" + id_of(first) + "\"}");
  EXPECT_EQ(compacted.at("object"), "response.compaction");
  ASSERT_EQ(compacted.at("output").as_array().size(), 1u);
  const auto& item = compacted.at("output").at(0);
  EXPECT_EQ(item.at("type"), "compaction");
  const auto next = ask(R"("input":[)" + to_json(item) + R"(,{"role":"user","content":"go on"}])");
  EXPECT_EQ(text_of(next), "go on");
  // The echo's summary is the question it was asked, which is longer than what was said.
  EXPECT_GT(next.at("usage").at("input_tokens").as_int64(), 40);
}

TEST_F(Conversations, StoredChatsAreListedReadChangedAndDeleted) {
  Services services;
  services.history = &history_;
  services.now_ms = [] { return testing::kNowMs; };
  const json::array messages{
      json::object{{"role", "user"},
                   {"content", json::array{json::object{{"type", "text"}, {"text", "hello"}}}}}};
  for (const std::string id : {"chatcmpl-1", "chatcmpl-2"}) {
    keep_chat(services, "", {{"id", id}, {"model", "demo"}, {"created", testing::kNowMs / 1000}},
              messages, {{"team", id == "chatcmpl-1" ? "red" : "a b"}});
  }
  const auto list = ok("GET", "/v1/chat/completions?limit=1");
  EXPECT_EQ(list.at("has_more"), true);
  EXPECT_EQ(list.at("first_id"), "chatcmpl-1");
  const auto filtered = ok("GET", "/v1/chat/completions?metadata%5Bteam%5D=a+b&model=demo");
  ASSERT_EQ(filtered.at("data").as_array().size(), 1u);
  EXPECT_EQ(filtered.at("last_id"), "chatcmpl-2");
  const std::string path = "/v1/chat/completions/chatcmpl-1";
  EXPECT_EQ(ok("GET", path).at("metadata").at("team"), "red");
  EXPECT_EQ(ok("POST", path, R"({"metadata":{"team":"blue"}})").at("metadata").at("team"), "blue");
  const auto kept = ok("GET", path + "/messages");
  EXPECT_EQ(kept.at("data").at(0).at("content"), "hello");
  EXPECT_EQ(kept.at("data").at(0).at("content_parts").as_array().size(), 1u);
  EXPECT_EQ(ok("DELETE", path).at("object"), "chat.completion.deleted");
  EXPECT_EQ(call("GET", path).status, 404);
  EXPECT_EQ(call("GET", path + "/messages").status, 404);
  EXPECT_EQ(call("POST", path, R"({"metadata":{}})").status, 404);
}

TEST_F(Conversations, AChatThatIsToBeStoredIsFoundAsSoonAsItsAnswerHasEnded) {
  const std::string asked = R"({"model":"demo","store":true,"metadata":{"team":"red"},
      "messages":[{"role":"user","content":"think"}],"stream":)";
  const auto whole = ok("POST", "/v1/chat/completions", asked + "false}");
  const std::string id(whole.at("id").as_string());
  EXPECT_EQ(ok("GET", "/v1/chat/completions/" + id), whole);
  EXPECT_EQ(ok("GET", "/v1/chat/completions/" + id + "/messages").at("data").at(0).at("content"),
            "think");
  const auto streamed = call("POST", "/v1/chat/completions", asked + "true}");
  EXPECT_TRUE(streamed.body.ends_with("data: [DONE]\n\n"));
  const auto list = ok("GET", "/v1/chat/completions?metadata%5Bteam%5D=red");
  ASSERT_EQ(list.at("data").as_array().size(), 2u);
  auto first = list.at("data").at(0).as_object(), second = list.at("data").at(1).as_object();
  EXPECT_NE(first["id"], second["id"]);
  EXPECT_EQ(first["choices"], second["choices"]);
  EXPECT_EQ(first["choices"].at(0).at("message").at("content"), "thought");
  ok("POST", "/v1/chat/completions",
     R"({"model":"demo","messages":[{"role":"user","content":"think"}]})");
  EXPECT_EQ(ok("GET", "/v1/chat/completions").at("data").as_array().size(), 2u);
}

}  // namespace
}  // namespace strata::api::responses
