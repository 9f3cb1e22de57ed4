// For tests: an OCI registry in this process, as strict as the specification lets it be.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base64.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/testing/http_server.h"

namespace strata::models::testing {

using strata::testing::HttpServer;
using strata::testing::Reply;
using strata::testing::ServedRequest;

// A registry as the OCI distribution specification has it: an upload goes on only where it stopped
// and at the place that was said last, a blob is what its digest says, and a manifest needs its
// blobs.
class Registry {
 public:
  std::map<std::string, std::string> blobs, manifests;  // by digest; by "repository tag"
  std::string user;                                     // "name:password"; "": anybody may write
  bool by_token = false;
  std::function<std::optional<Reply>(const ServedRequest&)> instead;

  std::string host() const { return server_.url("").substr(std::string("http://").size()); }
  std::vector<ServedRequest> requests() const { return server_.requests(); }

 private:
  static Reply error(int status, const std::string& code) {
    return {.status = status,
            .body = to_json(json::object{
                {"errors", json::array{json::object{{"code", code}, {"message", "as asked"}}}}})};
  }

  std::optional<Reply> check(const ServedRequest& request) {
    if (user.empty()) return std::nullopt;
    const auto given = request.headers.find("authorization");
    const std::string word = given == request.headers.end() ? "" : given->second;
    const std::string basic = "Basic " + base64(std::as_bytes(std::span(user)));
    if (request.target.starts_with("/token?")) {
      if (word != basic) return error(401, "UNAUTHORIZED");
      EXPECT_THAT(request.target,
                  ::testing::HasSubstr("service=it&scope=repository%3Ame%2Ftiny%3Apull%2Cpush"));
      return Reply{.body = R"({"token":"opens-the-door"})"};
    }
    if (word == (by_token ? "Bearer opens-the-door" : basic)) return std::nullopt;
    Reply reply = error(401, "UNAUTHORIZED");
    reply.headers.emplace_back(
        "WWW-Authenticate",
        by_token ? fmt::format("Bearer realm=\"{}\",service=\"it\",scope=\"repository:me/tiny:"
                               "pull,push\"",
                               server_.url("/token"))
                 : "Basic realm=\"it\"");
    return reply;
  }

  Reply answer(const ServedRequest& request) {
    const std::lock_guard lock(mutex_);
    if (instead) {
      if (auto other = instead(request)) return *other;
    }
    if (auto refused = check(request)) return *refused;
    const std::string front = "/v2/me/tiny/";
    if (!request.target.starts_with(front)) return error(404, "NAME_UNKNOWN");
    const std::string rest = request.target.substr(front.size());
    if (rest == "blobs/uploads/" && request.method == "POST") return begin();
    if (rest.starts_with("blobs/uploads/")) return go_on(request, rest.substr(14));
    if (rest.starts_with("blobs/")) {
      return blobs.contains(rest.substr(6)) ? Reply{} : error(404, "BLOB_UNKNOWN");
    }
    if (rest.starts_with("manifests/") && request.method == "PUT") {
      return put_manifest(request, rest.substr(10));
    }
    return error(405, "UNSUPPORTED");
  }

  Reply place() {
    ++step_;
    return {.status = 202,
            .headers = {{"Location", fmt::format("/v2/me/tiny/blobs/uploads/u?at={}", step_)}}};
  }
  Reply begin() {
    upload_.clear();
    return place();
  }

  Reply go_on(const ServedRequest& request, const std::string& rest) {
    const std::string where = fmt::format("u?at={}", step_);
    if (request.method == "PATCH") {
      if (rest != where) return error(404, "BLOB_UPLOAD_UNKNOWN");
      const std::string range =
          fmt::format("{}-{}", upload_.size(), upload_.size() + request.body.size() - 1);
      if (request.headers.at("content-range") != range) return error(416, "RANGE_INVALID");
      EXPECT_EQ(request.headers.at("content-type"), "application/octet-stream");
      upload_ += request.body;
      return place();
    }
    const std::string digest = "sha256:" + sha256_hex(upload_);
    if (request.method != "PUT" || rest != where + "&digest=" + digest) {
      return error(400, "DIGEST_INVALID");
    }
    EXPECT_EQ(request.headers.at("content-length"), "0");
    blobs[digest] = upload_;
    return {.status = 201};
  }

  Reply put_manifest(const ServedRequest& request, const std::string& tag) {
    const json::value manifest = parse_json(request.body);
    EXPECT_EQ(manifest.at("mediaType").as_string(), request.headers.at("content-type"));
    auto needed = manifest.at("layers").as_array();
    needed.push_back(manifest.at("config"));
    for (const auto& layer : needed) {
      const auto blob = blobs.find(std::string(layer.at("digest").as_string()));
      if (blob == blobs.end() || layer.at("size") != json::value(blob->second.size())) {
        return error(400, "MANIFEST_BLOB_UNKNOWN");
      }
    }
    manifests[tag] = request.body;
    return {.status = 201};
  }

  std::mutex mutex_;
  std::string upload_;
  int step_ = 0;
  HttpServer server_{[this](const ServedRequest& request) { return answer(request); }};
};

}  // namespace strata::models::testing
