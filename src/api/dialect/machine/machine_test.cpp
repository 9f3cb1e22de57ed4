// The machine, its models, jobs and the hub over HTTP.
#include "api/machine.h"

#include <gtest/gtest.h>

#include "api/access/keys.h"
#include "api/jobs/job_board.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_store.h"
#include "core/os.h"
#include "models/hub/testing.h"

namespace strata::api::machine {
namespace {

using strata::testing::HttpServer;
using strata::testing::ScopedEnvironment;
using strata::testing::ServedRequest;
using testing::fetch;
using testing::Reply;

class Machine : public ::testing::Test {
 protected:
  explicit Machine(NetPolicy policy = {}) : library_(store_.path(), std::move(policy)) {
    Services services;
    services.library = &library_;
    services.jobs = &jobs_;
    running_.emplace(make_scripted_backend(default_script()), services);
  }

  Reply call(std::string_view method, const std::string& path, const std::string& body = {}) const {
    return fetch(running_->port(), method, "/api/v1/" + path, body);
  }
  json::value ok(std::string_view method, const std::string& path,
                 const std::string& body = {}) const {
    const Reply reply = call(method, path, body);
    EXPECT_EQ(reply.status, 200) << path << ": " << reply.body;
    return reply.status == 200 ? parse_json(reply.body) : json::value(json::object{});
  }

  testing::TinyStore store_;
  ModelLibrary library_;
  JobBoard jobs_{library_};
  std::optional<testing::Running> running_;
};

class MachineOffline : public Machine {
 protected:
  MachineOffline() : Machine({.offline = true, .allow_private = false, .private_hosts = {}}) {}
};

TEST_F(Machine, SaysWhatFitsBeforeADownload) {
  const auto machine = ok("GET", "machine");
  EXPECT_GT(machine.at("memory_bytes_per_second").as_double(), 1e6);
  EXPECT_EQ(machine.at("memory_bytes"), total_memory_bytes());
  EXPECT_EQ(machine.at("offline"), false);
  const auto at = [&](const std::string& query) {
    const auto list = ok("GET", "catalog" + query).at("models");
    return list.at(0);
  };
  const auto usual = at(""), small = at("?context=1024"), large = at("?context=10000000");
  EXPECT_EQ(usual.at("memory").at("context"), 4096);
  EXPECT_EQ(usual.at("memory").at("cache_bytes"), 94371840);
  EXPECT_EQ(usual.at("memory").at("bytes"),
            usual.at("size").to_number<int64_t>() + 94371840 + (80 << 20));
  EXPECT_EQ(small.at("memory").at("cache_bytes"), 94371840 / 4);
  EXPECT_EQ(large.at("memory").at("context"), large.at("context"));  // no more than it has
  // Speed is what the machine's memory gives: bytes read a token times tokens a second.
  const double read = usual.at("size").to_number<double>() + 94371840.0 / 2;
  EXPECT_NEAR(usual.at("tokens_per_second").as_double() * read, memory_bandwidth(), 1e3);
  EXPECT_GT(small.at("tokens_per_second").as_double(), usual.at("tokens_per_second").as_double());
  for (const char* query : {"?context=0", "?context=-1", "?context=x", "?context=99999999999"}) {
    EXPECT_EQ(call("GET", std::string("catalog") + query).status, 400) << query;
  }
}

TEST_F(Machine, KnowsWhereAModelOfTheStoreCameFromAndWhatItTakes) {
  const auto stored = store_.add("tiny:f32", testing::TinyStore::model_bytes(1024));
  const auto facts = ok("GET", "models/tiny:f32?context=256");
  EXPECT_EQ(facts.at("files").at(0).at("sha256"), json::value(stored.model[0].sha256));
  EXPECT_EQ(facts.at("architecture"), "llama");
  EXPECT_EQ(facts.at("quantisation_shares").at("F32"), 1.0);
  EXPECT_EQ(facts.at("context"), 1024);
  EXPECT_EQ(facts.at("memory").at("context"), 256);
  const auto memory = [&](const std::string& query) {
    return ok("GET", "models/tiny:f32" + query).at("memory").at("cache_bytes").as_int64();
  };
  EXPECT_EQ(memory("?context=512"), 2 * memory("?context=256"));
  EXPECT_EQ(memory("?context=5000"), memory("?context=1024"));
  EXPECT_GT(facts.at("tokens_per_second").as_double(), 0.0);
  EXPECT_EQ(facts.at("problem"), "");
  EXPECT_EQ(call("GET", "models/nobody").status, 404);
  store_.add("broken", "no model at all");
  const Reply broken = call("GET", "models/broken");
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.body.find(store_.path().string()), std::string::npos) << broken.body;
}

TEST_F(Machine, QuantisesBehindACallAndListsIt) {
  store_.add("tiny:f32");
  const auto job = ok("POST", "jobs",
                      R"({"kind":"quantize","model":"tiny:f32","type":"Q8_0","name":"tiny:q8"})");
  const std::string id(job.at("id").as_string());
  auto listed = ok("GET", "jobs");
  while (listed.at("data").at(0).at("state") == "running") listed = ok("GET", "jobs");
  EXPECT_EQ(listed.at("data").at(0).at("state"), "done") << to_json(listed);
  EXPECT_EQ(listed.at("data").at(0).at("id"), json::value(id));
  EXPECT_FALSE(listed.at("types").as_array().empty());
  EXPECT_EQ(ok("GET", "models/tiny:q8").at("parent"), "tiny:f32");
  EXPECT_EQ(call("POST", "jobs/" + id + "/pause").status, 400);
  ok("DELETE", "jobs/" + id);
  EXPECT_EQ(call("DELETE", "jobs/" + id).status, 404);
  EXPECT_TRUE(library_.show("tiny:q8").n_weights > 0);  // the model stays
}

TEST_F(Machine, RefusesJobsThatSayNothingSensibleByField) {
  store_.add("tiny:f32");
  for (const auto& [field, body] : std::vector<std::pair<std::string, std::string>>{
           {"kind", R"({"model":"a"})"},
           {"kind", R"({"kind":"bake","model":"a"})"},
           {"model", R"({"kind":"pull"})"},
           {"type", R"({"kind":"pull","model":"a","type":"Q8_0"})"},
           {"type", R"({"kind":"quantize","model":"a","name":"b"})"},
           {"name", R"({"kind":"quantize","model":"a","type":"Q8_0"})"},
           {"colour", R"({"kind":"quantize","model":"a","type":"Q8_0","name":"b","colour":1})"}}) {
    const Reply reply = call("POST", "jobs", body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(parse_json(reply.body).at("error").at("field"), json::value(field)) << reply.body;
  }
  EXPECT_EQ(call("POST", "jobs", R"({"kind":"pull","model":"file:/etc/passwd"})").status, 403);
  EXPECT_EQ(call("POST", "jobs",
                 R"({"kind":"quantize","model":"tiny:f32","type":"Q8_0","name":"tiny:f32"})")
                .status,
            409);
  EXPECT_TRUE(ok("GET", "jobs").at("data").as_array().empty());
}

TEST_F(Machine, SearchesTheHubAndPullsWhatItFound) {
  const std::map<std::string, std::string> files{{"README.md", "# text"},
                                                 {"Tiny.gguf", testing::TinyStore::model_bytes()}};
  HttpServer hub([&](const ServedRequest& request) -> strata::testing::Reply {
    if (request.target.starts_with("/api/models?")) {
      return {.body = R"([{"id":"own/Tiny-GGUF","downloads":5,"tags":["license:mit"]}])"};
    }
    return models::testing::answer_as_hub(request, "own/Tiny-GGUF", files);
  });
  const ScopedEnvironment endpoint("HF_ENDPOINT", hub.url("").c_str());
  const ScopedEnvironment token("HF_TOKEN", nullptr);
  const auto found = ok("GET", "hub/models?search=tiny").at("models").at(0);
  EXPECT_EQ(found.at("repository"), "own/Tiny-GGUF");
  EXPECT_EQ(found.at("licence"), "mit");
  const auto file = ok("GET", "hub/files?repository=own/Tiny-GGUF").at("files").at(0);
  EXPECT_EQ(file.at("size"), files.at("Tiny.gguf").size());
  ok("POST", "jobs", to_json(json::object{{"kind", "pull"}, {"model", file.at("model")}}));
  auto job = ok("GET", "jobs").at("data").at(0);
  while (job.at("state") == "running") job = ok("GET", "jobs").at("data").at(0);
  ASSERT_EQ(job.at("state"), "done") << to_json(job);
  const auto facts = ok("GET", "models/" + std::string(job.at("name").as_string()));
  EXPECT_EQ(facts.at("source"), file.at("model"));
  EXPECT_EQ(facts.at("files").at(0).at("sha256"), file.at("sha256"));
  for (const char* path : {"hub/models", "hub/models?search=", "hub/models?search=x&limit=0",
                           "hub/files", "hub/files?repository=../x"}) {
    EXPECT_EQ(call("GET", path).status, 400) << path;
  }
}

TEST_F(MachineOffline, SaysSoAndAsksNobody) {
  EXPECT_EQ(ok("GET", "machine").at("offline"), true);
  const Reply reply = call("GET", "hub/models?search=tiny");
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.body.find("offline"), std::string::npos) << reply.body;
}

TEST_F(Machine, TellsItsLastHourAndItsLog) {
  EXPECT_EQ(call("GET", "models/who-is-this-one").status, 404);
  ok("GET", "machine?key=sk-strata-ABCDEFGHIJKLMN");
  auto history = ok("GET", "metrics/history");
  while (history.at("time_ms").as_array().empty()) history = ok("GET", "metrics/history");
  EXPECT_EQ(history.at("time_ms").at(0), testing::kNowMs);
  for (const char* column : {"tokens_per_second", "requests", "running", "waiting"}) {
    EXPECT_EQ(history.at(column).as_array().size(), history.at("time_ms").as_array().size());
  }
  EXPECT_GT(history.at("memory_bytes").at(0).to_number<int64_t>(), 1 << 20);
  const auto lines = ok("GET", "logs?limit=1000").at("data");
  const std::string text = to_json(lines);
  EXPECT_NE(text.find("/api/v1/models/{name} 404"), std::string::npos) << text;
  EXPECT_EQ(text.find("ABCDEFGH"), std::string::npos) << text;
  EXPECT_EQ(ok("GET", "logs?limit=1").at("data").as_array().size(), 1u);
  EXPECT_EQ(call("GET", "logs?limit=0").status, 400);
  EXPECT_EQ(to_json(ok("GET", "session").at("may")), R"(["inference","metrics","models","admin"])");
}

TEST(MachineOfKeys, ShowsTheLogToAdminsOnly) {
  const strata::testing::TempFolder folder;
  KeyStore keys(folder.path() / "strata.db");
  ServerOptions options;
  options.require_key = true;
  Services services;
  services.keys = &keys;
  const testing::Running running(make_scripted_backend(default_script()), services, options, &keys);
  for (const auto& [scope, status] : {std::pair(Scope::metrics, 403), {Scope::admin, 200}}) {
    const std::string secret =
        keys.create("k", {scope}, std::nullopt, testing::kNowMs / 1000).secret;
    const auto get = [&](const char* path) {
      return fetch(running.port(), "GET", path, {}, "x-api-key: " + secret + "\r\n");
    };
    EXPECT_EQ(get("/api/v1/logs").status, status);
    EXPECT_EQ(get("/api/v1/metrics/history").status, 200);
  }
}

TEST(MachineOpenToAll, ShowsItsLogToNobody) {
  ServerOptions options;
  options.host = "0.0.0.0";
  options.allow_unprotected = true;
  const testing::Running running(make_scripted_backend(default_script()), {}, options);
  EXPECT_EQ(fetch(running.port(), "GET", "/api/v1/logs").status, 403);
  const Reply session = fetch(running.port(), "GET", "/api/v1/session");
  EXPECT_EQ(to_json(parse_json(session.body).at("may")), R"(["inference","metrics","models"])");
}

}  // namespace
}  // namespace strata::api::machine
