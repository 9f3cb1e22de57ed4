// Answers that outlive their client, streams that are taken up again, answers that are called off.
#include <thread>

#include "api/dialect/responses/testing/served.h"

namespace strata::api::responses {
namespace {

class Background : public Served {
 protected:
  json::value begin(const std::string& model, const std::string& fields = {}) const {
    return ok(
        "POST", "/v1/responses",
        R"({"input":"hello world","background":true,"model":")" + model + "\"" + fields + "}");
  }
  // For ever, if it never ends.
  json::value when_over(const std::string& id) const {
    while (true) {
      const auto now = ok("GET", "/v1/responses/" + id);
      const auto status = now.at("status");
      if (status != "queued" && status != "in_progress") return now;
      std::this_thread::yield();
    }
  }
};

TEST_F(Background, IsAnsweredAtOnceAndMadeAllTheSame) {
  const auto made = begin("demo");
  EXPECT_EQ(made.at("background"), true);
  const auto whole = when_over(id_of(made));
  EXPECT_EQ(whole.at("status"), "completed");
  EXPECT_EQ(text_of(whole), "hello world");
}

// Who asks for it later must not wait for ever, and the conversation has nothing of it.
TEST_F(Background, AnAnswerThatItsConversationHasNoRoomForHasFailed) {
  const std::string conversation = id_of(ok("POST", "/v1/conversations", "{}"));
  json::array items;
  const std::string pad(static_cast<size_t>(kMaxConversationBytes) - 200, 'x');
  items.push_back(json::object{{"id", "pad"}, {"type", "padding"}, {"text", pad}});
  ASSERT_TRUE(history_.conversations.append("", conversation, items));
  const auto made = begin("demo", R"(,"conversation":")" + conversation + "\"");
  const auto kept = when_over(id_of(made));
  EXPECT_EQ(kept.at("status"), "failed");
  EXPECT_EQ(kept.at("error").at("code"), "rate_limit_exceeded");
  EXPECT_TRUE(kept.at("completed_at").is_null());
  EXPECT_EQ(history_.responses.find("", id_of(made))->status, "failed");
  EXPECT_EQ(history_.conversations.items("", conversation).size(), 1u);
}

TEST_F(Background, AStreamGoesOnWithoutItsClientAndIsTakenUpAgain) {
  testing::Client client(port());
  client.send(testing::request_text(
      "POST", "/v1/responses", R"({"model":"slow","input":"x","background":true,"stream":true})"));
  const std::string head = client.receive_until("response.output_text.delta");
  client.close();
  const size_t at = head.find(R"("id":"resp_)");
  ASSERT_NE(at, std::string::npos) << head;
  const std::string id = head.substr(at + 6, 37);
  EXPECT_NE(head.find("event: response.queued"), std::string::npos);
  // While it is being made, from the beginning…
  const auto live = events_of(call("GET", "/v1/responses/" + id + "?stream=true").body);
  const auto whole = when_over(id);
  EXPECT_EQ(whole.at("status"), "completed");
  // …and once it is over, from any point: the same events.
  const auto kept = events_of(call("GET", "/v1/responses/" + id + "?stream=true").body);
  ASSERT_EQ(live.size(), kept.size());
  for (size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i].data.at("sequence_number"), i);
    EXPECT_EQ(live[i].data, kept[i].data);
  }
  EXPECT_EQ(kept.back().data.at("response"), whole);
  const auto rest =
      events_of(call("GET", "/v1/responses/" + id + "?stream=true&starting_after=9").body);
  ASSERT_EQ(rest.size(), kept.size() - 10);
  EXPECT_EQ(rest.front().data, kept[10].data);
}

TEST_F(Background, MayBeWaitedForByWhatGoesOnWithIt) {
  const std::string id = id_of(begin("crawl"));
  const std::string next = R"({"model":"demo","input":"x","previous_response_id":")" + id + "\"}";
  const auto early = call("POST", "/v1/responses", next);
  EXPECT_EQ(early.status, 409) << early.body;
  EXPECT_FALSE(early.headers.contains("x-should-retry"));
  ok("POST", "/v1/responses/" + id + "/cancel");
  auto later = early;  // asked for ever, if it never ends
  while (later.status == 409) later = call("POST", "/v1/responses", next);
  EXPECT_EQ(later.status, 200) << later.body;
}

TEST_F(Background, IsCalledOffOnceAndStaysSo) {
  const auto made = begin("crawl");
  const std::string path = "/v1/responses/" + id_of(made);
  EXPECT_EQ(ok("POST", path + "/cancel").at("status"), "cancelled");
  EXPECT_EQ(ok("POST", path + "/cancel").at("status"), "cancelled");
  EXPECT_EQ(when_over(id_of(made)).at("status"), "cancelled");
}

TEST_F(Background, OnlyWhatIsInTheBackgroundIsCalledOff) {
  const auto made = ask(R"("input":"hello")");
  EXPECT_EQ(call("POST", "/v1/responses/" + id_of(made) + "/cancel").status, 400);
  EXPECT_EQ(call("GET", "/v1/responses/" + id_of(made) + "?stream=true").status, 400);
}

TEST_F(Background, AClientThatLeavesInFrontEndsItsAnswer) {
  testing::Client client(port());
  client.send(testing::request_text("POST", "/v1/responses",
                                    R"({"model":"crawl","input":"x","stream":true})"));
  const std::string head = client.receive_until("response.output_text.delta");
  client.close();
  const std::string id = head.substr(head.find(R"("id":"resp_)") + 6, 37);
  const auto left = when_over(id);
  EXPECT_EQ(left.at("status"), "cancelled");
  EXPECT_EQ(left.at("output").at(0).at("status"), "incomplete");
}

TEST_F(Background, DeletedInTheMiddleOfItsStreamItEnds) {
  testing::Client client(port());
  client.send(testing::request_text(
      "POST", "/v1/responses", R"({"model":"crawl","input":"x","background":true,"stream":true})"));
  const std::string head = client.receive_until("response.output_text.delta");
  const std::string id = head.substr(head.find(R"("id":"resp_)") + 6, 37);
  EXPECT_EQ(ok("DELETE", "/v1/responses/" + id).at("deleted"), true);
  const std::string rest = client.receive_until("event: response.incomplete");
  EXPECT_TRUE(rest.ends_with("event: response.incomplete")) << rest;
  EXPECT_EQ(call("GET", "/v1/responses/" + id).status, 404);
}

TEST_F(Background, AServerThatStopsLeavesNothingUnderWay) {
  std::string id;
  {
    testing::Running other(parse_script(kScript), {}, nullptr, nullptr, nullptr, &history_);
    const auto reply = testing::fetch(other.port(), "POST", "/v1/responses",
                                      R"({"model":"crawl","input":"x","background":true})");
    id = id_of(parse_json(reply.body));
  }
  const auto kept = ok("GET", "/v1/responses/" + id);
  EXPECT_EQ(kept.at("status"), "failed");
  EXPECT_EQ(kept.at("error").at("code"), "server_error");
}

}  // namespace
}  // namespace strata::api::responses
