#include "models/hub/push.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base64.h"
#include "core/json.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/registry_login.h"
#include "models/hub/testing.h"
#include "models/hub/testing_registry.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using strata::testing::HttpServer;
using strata::testing::Reply;
using strata::testing::ScopedEnvironment;
using strata::testing::ServedRequest;
using strata::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PushTest : public ::testing::Test {
 protected:
  PushTest() {
    options.policy = testing::kLocalPolicy;
    options.insecure = true;
    options.parameter_size = "1M";
    options.quantization = "Q8_0";
  }

  Manifest add(const std::string& name, const std::string& content) {
    const auto held = store.hold();
    Manifest manifest;
    manifest.name = parse_model_name(name).full();
    manifest.model = {store.put_blob(content)};
    store.put_manifest(manifest);
    return store.find(name);
  }
  std::string place() const { return registry.host() + "/me/tiny:v1"; }

  TempFolder folder;
  Store store{folder.path() / "store"};
  testing::Registry registry;
  PushOptions options;
  const ScopedEnvironment nobody{"DOCKER_CONFIG", folder.path().c_str()};
};

TEST_F(PushTest, the_file_and_what_stands_beside_it_become_layers) {
  Manifest manifest = add("me/tiny:v1", testing::model_bytes(17'000'000));
  manifest.licence = "MIT";
  manifest.overrides.system = "Be kind.";
  manifest.overrides.messages = {{.role = "user", .content = "hi"}};
  manifest.overrides.parameters = {
      {"stop", "<a>"}, {"stop", "<b>"}, {"temperature", "0.5"}, {"top_k", "3"}};
  manifest.overrides.chat_template = "{{ messages }}";
  {
    const auto held = store.hold();
    store.put_manifest(manifest);
  }
  std::vector<std::string> stages;
  uint64_t done = 0;
  options.progress = [&](const PullProgress& now) {
    if (stages.empty() || stages.back() != now.stage) stages.push_back(now.stage);
    if (now.sha256 == manifest.model[0].sha256) {
      EXPECT_GE(now.done, done);
      done = now.done;
      EXPECT_EQ(now.total, 17'000'000u);
    }
  };
  const PushResult result = push(store, place(), options);
  EXPECT_THAT(result.left_out, ElementsAre(HasSubstr("Go's language")));
  EXPECT_THAT(stages, ElementsAre("retrieving manifest", "pushing", "pushing manifest"));
  EXPECT_EQ(done, 17'000'000u);
  const json::value written = parse_json(registry.manifests.at("v1"));
  EXPECT_EQ(written.at("schemaVersion"), 2);
  std::map<std::string, std::string> layers;
  for (const auto& layer : written.at("layers").as_array()) {
    const std::string type(layer.at("mediaType").as_string());
    layers[type.substr(type.rfind('.') + 1)] =
        registry.blobs.at(std::string(layer.at("digest").as_string()));
  }
  EXPECT_EQ(sha256_hex(layers.at("model")), manifest.model[0].sha256);
  EXPECT_EQ(layers.at("system"), "Be kind.");
  EXPECT_EQ(layers.at("license"), "MIT");
  EXPECT_EQ(parse_json(layers.at("messages")), parse_json(R"([{"role":"user","content":"hi"}])"));
  EXPECT_EQ(parse_json(layers.at("params")),
            parse_json(R"({"stop":["<a>","<b>"],"temperature":0.5,"top_k":3})"));
  EXPECT_EQ(layers.size(), 5u);
  const json::value config =
      parse_json(registry.blobs.at(std::string(written.at("config").at("digest").as_string())));
  EXPECT_EQ(config.at("model_format"), "gguf");
  EXPECT_EQ(config.at("model_type"), "1M");
  EXPECT_EQ(config.at("file_type"), "Q8_0");
  EXPECT_EQ(config.at("rootfs").at("diff_ids").as_array().size(), 5u);
}

TEST_F(PushTest, what_is_there_is_not_sent_again) {
  add("me/tiny:v1", testing::model_bytes(1000));
  push(store, place(), options);
  const size_t before = registry.requests().size();
  push(store, place(), options);
  for (size_t i = before; i < registry.requests().size(); ++i) {
    const std::string& method = registry.requests()[i].method;
    EXPECT_TRUE(method == "HEAD" || registry.requests()[i].target.ends_with("manifests/v1"));
  }
}

TEST_F(PushTest, a_connection_that_breaks_in_the_middle_is_an_error_and_the_next_one_ends_it) {
  add("me/tiny:v1", testing::model_bytes(17'000'000));
  int n_pieces = 0;
  registry.instead = [&](const ServedRequest& request) -> std::optional<Reply> {
    if (request.method != "PATCH" || ++n_pieces != 2) return std::nullopt;
    return Reply{.status = 202, .body = "cut", .said_length = 100, .cut_after = 1};
  };
  const Error error = error_of([&] { push(store, place(), options); });
  EXPECT_EQ(error.code(), Code::unavailable);
  EXPECT_THAT(error.message(), HasSubstr("was cut"));
  EXPECT_TRUE(registry.manifests.empty()) << "no name for half of a model";
  push(store, place(), options);
  EXPECT_EQ(registry.manifests.size(), 1u);
}

TEST_F(PushTest, what_a_registry_says_no_with_is_told) {
  add("me/tiny:v1", testing::model_bytes(1000));
  for (const auto& [status, code] : {std::pair(403, Code::permission_denied),
                                     {404, Code::not_found},
                                     {405, Code::not_found},
                                     {413, Code::resource_exhausted},
                                     {507, Code::resource_exhausted},
                                     {500, Code::unavailable},
                                     {200, Code::unavailable}}) {
    registry.instead = [&](const ServedRequest& request) -> std::optional<Reply> {
      if (request.method != "POST") return std::nullopt;
      return Reply{.status = status,
                   .body = R"({"errors":[{"code":"DENIED","message":"no room here"}]})"};
    };
    const Error error = error_of([&] { push(store, place(), options); });
    EXPECT_EQ(error.code(), code) << status;
    EXPECT_THAT(error.message(), HasSubstr(fmt::format("answered {} to an upload", status)));
    EXPECT_THAT(error.message(), HasSubstr("DENIED: no room here"));
  }
  registry.instead = [](const ServedRequest& request) -> std::optional<Reply> {
    if (request.method != "POST") return std::nullopt;
    return Reply{.status = 202};
  };
  EXPECT_THAT(error_of([&] { push(store, place(), options); }).message(),
              HasSubstr("does not say where"));
}

TEST_F(PushTest, a_registry_that_asks_who_you_are_gets_what_docker_keeps) {
  add("me/tiny:v1", testing::model_bytes(1000));
  registry.user = "me:open sesame";
  const auto denied = [&] { return error_of([&] { push(store, place(), options); }); };
  EXPECT_EQ(denied().code(), Code::unauthenticated);
  EXPECT_THAT(denied().hint(), HasSubstr("docker login 127.0.0.1"));
  const auto log_in = [&](const std::string& user) {
    const std::string host = registry.host();
    const json::object entry{{"auth", base64(std::as_bytes(std::span(user)))}};
    write_file_atomic(folder.path() / "config.json",
                      to_json(json::object{{"auths", json::object{{host, entry}}}}));
  };
  for (const bool by_token : {false, true}) {
    registry.by_token = by_token;
    log_in("me:wrong");
    const Error error = denied();
    EXPECT_EQ(error.code(), Code::unauthenticated) << by_token;
    EXPECT_EQ(error.message().find("wrong"), std::string::npos);
    log_in(registry.user);
    registry.blobs.clear();
    registry.manifests.clear();
    push(store, place(), options);
    EXPECT_EQ(registry.manifests.size(), 1u);
  }
  write_file_atomic(folder.path() / "config.json", "no json");
  EXPECT_EQ(denied().code(), Code::failed_precondition);
}

TEST_F(PushTest, a_place_on_another_machine_is_not_told_who_you_are) {
  add("me/tiny:v1", testing::model_bytes(1000));
  registry.user = "me:open sesame";
  const std::string host = registry.host();
  const json::object entry{{"auth", base64(std::as_bytes(std::span(registry.user)))}};
  write_file_atomic(folder.path() / "config.json",
                    to_json(json::object{{"auths", json::object{{host, entry}}}}));
  HttpServer other([](const ServedRequest&) { return Reply{.status = 500}; });
  registry.instead = [&](const ServedRequest& request) -> std::optional<Reply> {
    if (request.method != "POST" || !request.headers.contains("authorization")) return std::nullopt;
    return Reply{.status = 202, .headers = {{"Location", other.url("/place")}}};
  };
  EXPECT_EQ(error_of([&] { push(store, place(), options); }).code(), Code::unavailable);
  ASSERT_EQ(other.requests().size(), 1u);
  EXPECT_FALSE(other.requests()[0].headers.contains("authorization"));
}

TEST_F(PushTest, only_to_a_registry_that_was_named_and_only_what_is_whole) {
  for (const char* name :
       {"tiny", "me/tiny:v1", "ho st/me/tiny", "user@host/me/tiny", "host/../tiny", "host/ME/tiny",
        "host/me/tiny:a b", "ftp://h/me/tiny", "host//tiny", "hf:a/b/c", "host:port/me/tiny", ""}) {
    EXPECT_EQ(error_of([&] { push(store, name, options); }).code(), Code::invalid_argument) << name;
  }
  EXPECT_EQ(error_of([&] { push(store, place(), options); }).code(), Code::not_found);
  add("me/tiny:v1", testing::model_bytes(1000));
  options.insecure = false;
  EXPECT_EQ(error_of([&] { push(store, "http://" + place(), options); }).code(),
            Code::failed_precondition);
  options.insecure = true;
  options.policy.allow_private = false;
  EXPECT_EQ(error_of([&] { push(store, place(), options); }).code(), Code::permission_denied);
  options.policy = {.offline = true, .allow_private = false, .private_hosts = {}};
  EXPECT_EQ(error_of([&] { push(store, place(), options); }).code(), Code::failed_precondition);
  EXPECT_TRUE(registry.requests().empty());
  Manifest split = store.find("me/tiny:v1");
  {
    const auto held = store.hold();
    split.model.push_back(store.put_blob(testing::model_bytes(2000)));
    store.put_manifest(split);
  }
  EXPECT_THAT(error_of([&] { push(store, place(), options); }).message(), HasSubstr("2 files"));
}

TEST_F(PushTest, a_file_that_was_changed_on_the_disk_is_not_pushed) {
  const Manifest manifest = add("me/tiny:v1", testing::model_bytes(1000));
  const fs::path path = store.blob_path(manifest.model[0].sha256);
  std::string content = read_file(path);
  content.back() = static_cast<char>(content.back() ^ 1);
  fs::permissions(path, fs::perms::owner_all);
  write_file_atomic(path, content);
  EXPECT_EQ(error_of([&] { push(store, place(), options); }).code(), Code::data_loss);
  EXPECT_TRUE(registry.manifests.empty());
}

TEST(RegistryName, says_where_and_what) {
  const RegistryName name = parse_registry_name("http://localhost:5000/library/tiny");
  EXPECT_EQ(name.scheme, "http");
  EXPECT_EQ(name.host, "localhost:5000");
  EXPECT_EQ(name.repository, "library/tiny");
  EXPECT_EQ(name.tag, "latest");
  EXPECT_EQ(name.local().full(), "tiny:latest");
  EXPECT_EQ(parse_registry_name("h.example/me/tiny:v1").local().full(), "me/tiny:v1");
}

TEST(RegistryChallenge, is_read_however_it_is_written) {
  const auto bearer = parse_challenge(
      "Bearer realm=\"https://a/token\", service=it ,scope=\"repository:a/b:pull,push\"");
  ASSERT_TRUE(bearer && bearer->bearer);
  EXPECT_EQ(bearer->realm, "https://a/token");
  EXPECT_EQ(bearer->service, "it");
  EXPECT_EQ(bearer->scope, "repository:a/b:pull,push");
  EXPECT_FALSE(parse_challenge("basic realm=\"a \\\" b\"")->bearer);
  EXPECT_EQ(parse_challenge("basic realm=\"a \\\" b\"")->realm, "a \" b");
  EXPECT_TRUE(parse_challenge("BASIC"));
  for (const char* header :
       {"", "Bearer", "Bearer service=x", "Negotiate abc", "Bearer realm=\"", "Bearer =", ",,,"}) {
    EXPECT_FALSE(parse_challenge(header)) << header;
  }
}

}  // namespace
}  // namespace strata::models
