// What one key has made no other finds, on any route; ids that are none; inputs meant to break.
#include "api/access/keys.h"
#include "api/dialect/responses/stored_chats.h"
#include "api/dialect/responses/testing/served.h"

namespace strata::api::responses {
namespace {

ServerOptions with_keys() {
  ServerOptions options;
  options.require_key = true;
  return options;
}

struct Keys {
  strata::testing::TempFolder keys_folder_;
  KeyStore keys_{keys_folder_.path() / "keys.db"};
};

class Owners : private Keys, public Served {
 protected:
  Owners() : Served(with_keys(), &keys_) {}

  std::string key(const std::string& name) {
    const auto made = keys_.create(name, {Scope::inference}, std::nullopt, testing::kNowMs / 1000);
    ids_[name] = made.info.id;
    return "Authorization: Bearer " + made.secret + "\r\n";
  }
  std::map<std::string, std::string> ids_;
};

struct Call {
  std::string method, path, body;
};

// Every route that names something, with what `mine` calls it.
std::vector<Call> calls_for(const std::string& response, const std::string& conversation,
                            const std::string& item, const std::string& chat) {
  const std::string r = "/v1/responses/" + response, c = "/v1/conversations/" + conversation,
                    s = "/v1/chat/completions/" + chat;
  const std::string ask = R"({"model":"demo","input":)";
  return {
      {"GET", r, ""},
      {"GET", r + "?stream=true", ""},
      {"GET", r + "/input_items", ""},
      {"POST", r + "/cancel", ""},
      {"DELETE", r, ""},
      {"POST", "/v1/responses", ask + R"("x","previous_response_id":")" + response + "\"}"},
      {"POST", "/v1/responses", ask + R"("x","conversation":")" + conversation + "\"}"},
      {"POST", "/v1/responses", ask + R"([{"type":"item_reference","id":")" + item + "\"}]}"},
      {"POST", "/v1/responses/input_tokens",
       ask + R"("x","previous_response_id":")" + response + "\"}"},
      {"POST", "/v1/responses/compact", ask + R"("x","previous_response_id":")" + response + "\"}"},
      {"GET", c, ""},
      {"POST", c, R"({"metadata":{}})"},
      {"GET", c + "/items", ""},
      {"POST", c + "/items", R"({"items":[{"role":"user","content":"x"}]})"},
      {"GET", c + "/items/" + item, ""},
      {"DELETE", c + "/items/" + item, ""},
      {"DELETE", c, ""},
      {"GET", s, ""},
      {"POST", s, R"({"metadata":{}})"},
      {"GET", s + "/messages", ""},
      {"DELETE", s, ""}};
}

TEST_F(Owners, AnotherKeyFindsNothingOnAnyRoute) {
  const std::string mine = key("mine"), other = key("other");
  const auto talk =
      ok("POST", "/v1/conversations", R"({"items":[{"role":"user","content":"secret"}]})", mine);
  const auto items = ok("GET", "/v1/conversations/" + id_of(talk) + "/items", "", mine);
  const auto made =
      ok("POST", "/v1/responses",
         R"({"model":"crawl","input":"secret","background":true,"stream":false})", mine);
  Services services;
  services.history = &history_;
  services.now_ms = [] { return testing::kNowMs; };
  keep_chat(services, ids_["mine"],
            {{"id", "chatcmpl-1"}, {"model", "demo"}, {"created", testing::kNowMs / 1000}}, {}, {});
  const std::string item = id_of(items.at("data").at(0));
  for (const Call& each : calls_for(id_of(made), id_of(talk), item, "chatcmpl-1")) {
    const auto reply = call(each.method, each.path, each.body, other);
    EXPECT_EQ(reply.status, 404) << each.method << " " << each.path << reply.body;
    EXPECT_EQ(reply.body.find("secret"), std::string::npos);
  }
  EXPECT_TRUE(ok("GET", "/v1/chat/completions", "", other).at("data").as_array().empty());
  // All of it is still there, and its owner's.
  EXPECT_EQ(ok("GET", "/v1/responses/" + id_of(made), "", mine).at("id"), made.at("id"));
  EXPECT_EQ(ok("GET", "/v1/conversations/" + id_of(talk), "", mine), talk);
  EXPECT_EQ(ok("GET", "/v1/conversations/" + id_of(talk) + "/items", "", mine), items);
  EXPECT_EQ(ok("GET", "/v1/chat/completions", "", mine).at("data").as_array().size(), 1u);
  EXPECT_EQ(ok("POST", "/v1/responses/" + id_of(made) + "/cancel", "", mine).at("status"),
            "cancelled");
}

class HostileResponses : public Served {};

TEST_F(HostileResponses, IdsThatAreNoneAreNotFound) {
  const std::string nul = "resp_%00" + std::string(30, '0');
  for (const std::string& id :
       {std::string("resp_"), std::string("x"), std::string("resp_") + std::string(32, '0'),
        std::string("..%2f..%2fetc%2fpasswd"), std::string("'%20OR%20'1'='1"),
        std::string("resp_") + std::string(3000, 'a'), std::string("%F0%9F%98%80")}) {
    for (const Call& each : calls_for(id, id, id, id)) {
      const auto reply = call(each.method, each.path, each.body);
      // 405: with a slash in it the path is another one.
      EXPECT_TRUE(reply.status == 404 || (reply.status == 405 && id.find("%2f") != id.npos))
          << each.method << " " << each.path.substr(0, 80) << reply.body;
      EXPECT_LT(reply.body.size(), 2000u);
    }
  }
  EXPECT_EQ(call("GET", "/v1/responses/" + nul).status, 400);
}

struct Refused {
  int status;
  std::string fields, says;
};

TEST_F(HostileResponses, WhatCannotBeIsRefusedWithItsField) {
  std::string deep = R"({"type":"object"})";
  for (int i = 0; i < 40; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  std::string many = "{\"role\":\"user\",\"content\":\"a\"}";
  for (int i = 0; i < 8192; ++i) many += ",{\"role\":\"user\",\"content\":\"a\"}";
  std::string pairs;
  for (int i = 0; i < 17; ++i) pairs += fmt::format("{}\"{}\":\"v\"", i ? "," : "", i);
  const std::vector<Refused> all{
      {400, "", "input is missing"},
      {400, R"("input":[])", "no items"},
      {400, R"("input":7)", "input must be an array"},
      {400, R"("input":["x"])", "input[0] must be an object"},
      {400, R"("input":[{"type":"message","role":"wizard","content":"x"}])", "input[0].role"},
      {400, R"("input":[{"role":"user"}])", "input[0].content is missing"},
      {400, R"("input":[{"role":"user","content":[{"type":"input_text"}]}])",
       "input[0].content[0].text is missing"},
      {501, R"("input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}])",
       "input_image"},
      {400, R"("input":[{"type":"nonsense"}])", "is no item"},
      {400, R"("input":[{"type":"web_search_call","id":"x"}])", "not built"},
      {501, R"("input":[{"type":"mcp_call","id":"x"}])", "not built"},
      {400, R"("input":[{"type":"function_call_output","output":"x"}])", "call_id is missing"},
      {400, R"("input":[{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}])",
       "not of this server"},
      {400, R"("input":[{"type":"compaction","encrypted_content":"strata1.%%%"}])",
       "not of this server"},
      {400, "\"input\":[" + many + "]", "8193 entries, the limit is 8192"},
      {400, R"("input":"x","tools":[{"type":"function"}])", "tools[0].name is missing"},
      {400, R"("input":"x","tools":[{"type":"function","function":{"name":"f"}}])",
       "tools[0].function is how OpenAI's chat completions have it"},
      {400, R"("input":"x","tools":[{"type":"function","name":"f","parameters":)" + deep + "}]",
       "too deep"},
      {400, R"("input":"x","tools":[{"type":"web_search"}])", "web_search"},
      {400, R"("input":"x","tools":[{"type":"code_interpreter"}])", "code_interpreter"},
      {501, R"("input":"x","tools":[{"type":"file_search"}])", "file_search"},
      {400, R"("input":"x","tool_choice":"required")", "no tools"},
      {400, R"("input":"x","tool_choice":{"type":"function","name":"g"})",
       "none of the request's tools"},
      {501, R"("input":"x","tool_choice":{"type":"mcp","server_label":"s"})", "not built"},
      {400, R"("input":"x","tool_choice":{"type":"web_search"})", "not built"},
      {400, R"("input":"x","text":{"format":{"type":"json_schema","name":"n"}})",
       "schema is missing"},
      {400, R"("input":"x","text":{"format":{"type":"xml"}})", "text.format.type"},
      {400, R"("input":"x","reasoning":{"effort":"huge"})", "reasoning.effort"},
      {400, R"("input":"x","include":["everything"])", "include"},
      {400, R"("input":"x","background":true,"store":false)", "needs store"},
      {400, R"("input":"x","stream_options":{})", "only for stream"},
      {400, R"("input":"x","conversation":"a","previous_response_id":"b")", "two different things"},
      {400, R"("input":"x","metadata":{"a":1})", "metadata.a must be a string"},
      {400, "\"input\":\"x\",\"metadata\":{" + pairs + "}", "17 pairs, the limit is 16"},
      {400, R"("input":"x","metadata":{"a":")" + std::string(513, 'v') + "\"}", "512 characters"},
      {400, R"("input":"x","max_output_tokens":0)", "max_output_tokens"},
      {400, R"("input":"x","top_logprobs":21)", "from 0 to 20"},
      {400, R"("input":"x","prompt":{})", "prompt.id is missing"},
      {404, R"("input":"x","prompt":{"id":"nobody"})", "nobody"},
      {501, R"("input":"x","context_management":[{"type":"compaction"}])", "context_management"},
      {400, R"("input":"x","truncation":"middle")", "truncation must be auto or disabled"},
      {400, R"("input":"x","surprise":1)", "surprise is not supported"},
      {400,
       R"("input":")" + std::string(40'000, 'a') + R"( b c d e","instructions":)" + "\"" +
           [] {
             std::string words;
             for (int i = 0; i < 5000; ++i) words += "w ";
             return words;
           }() +
           "\"",
       "limit 4096"}};
  for (const Refused& each : all) {
    const std::string comma = each.fields.empty() ? "" : ",";
    for (const char* stream : {"", R"(,"stream":true)"}) {
      if (each.says == "only for stream" && *stream) continue;
      const auto reply =
          call("POST", "/v1/responses", R"({"model":"demo")" + comma + each.fields + stream + "}");
      EXPECT_EQ(reply.status, each.status) << each.fields.substr(0, 200) << reply.body;
      EXPECT_NE(reply.body.find(each.says), std::string::npos)
          << each.says << " is not in " << reply.body;
    }
  }
  EXPECT_EQ(text_of(ask(R"("input":"alive")")), "alive");
}

TEST_F(HostileResponses, NothingIsKeptOfWhatWasRefused) {
  call("POST", "/v1/responses", R"({"model":"absent","input":"x"})");
  Database database = Database::open(folder_.path() / "strata.db");
  auto count = database.prepare("SELECT COUNT(*) FROM response");
  ASSERT_TRUE(count.step());
  EXPECT_EQ(count.integer(0), 0);
}

}  // namespace
}  // namespace strata::api::responses
