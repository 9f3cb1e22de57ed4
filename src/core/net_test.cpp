#include "core/net.h"

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "core/testing/http_server.h"
#include "core/testing/temp_folder.h"

namespace strata {
namespace {

using testing::error_of;
using testing::HttpServer;
using testing::Reply;
using testing::ScopedEnvironment;
using testing::ServedRequest;

const NetPolicy kLocal{.offline = false, .allow_private = true, .private_hosts = {}};

HttpRequest get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

TEST(Url, is_taken_apart_and_normalised) {
  const Url url = parse_url("HTTPS://Example.COM:8443/a/../b%20c?x=1#frag");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "example.com");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.text.find('#'), std::string::npos);
  EXPECT_EQ(parse_url("http://[::1]/").host, "::1");
  EXPECT_EQ(parse_url("https://a.b").port, 443);
  EXPECT_EQ(resolve_url(parse_url("https://a.b/x/y"), "../z").text, "https://a.b/z");
  EXPECT_EQ(resolve_url(parse_url("https://a.b/x"), "//c.d/e").host, "c.d");
}

TEST(Url, hostile_forms_are_refused) {
  for (const std::string text : {"", "example.com", "file:///etc/passwd", "ftp://a/b", "gopher://a",
                                 "javascript:alert(1)", "https://user:secret@host/", "https://",
                                 "https://a b/", "https://a/\r\nX: y", "https://h\xC3\xB6st/"}) {
    EXPECT_EQ(error_of([&] { parse_url(text); }).code(), Code::invalid_argument) << text;
  }
  EXPECT_EQ(error_of([] { parse_url("https://a/" + std::string(9000, 'x')); }).code(),
            Code::invalid_argument);
}

TEST(AddressGuard, knows_what_is_not_public) {
  for (const char* text : {"127.0.0.1",
                           "127.255.0.3",
                           "10.1.2.3",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "169.254.169.254",
                           "100.64.0.1",
                           "0.0.0.0",
                           "224.0.0.1",
                           "255.255.255.255",
                           "198.18.0.1",
                           "::1",
                           "::",
                           "fe80::1",
                           "fe80::1%eth0",
                           "fc00::1",
                           "fd12::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "64:ff9b::10.0.0.1",
                           "2002:7f00:1::",
                           "2001:db8::1",
                           "ff02::1",
                           "2001::1",
                           "rubbish"}) {
    EXPECT_TRUE(is_private_address(text)) << text;
  }
  for (const char* text : {"8.8.8.8", "172.32.0.1", "100.128.0.1", "192.169.0.1", "1.1.1.1",
                           "2606:4700::1111", "::ffff:8.8.8.8", "2a00:1450::1"}) {
    EXPECT_FALSE(is_private_address(text)) << text;
  }
}

TEST(AddressGuard, refuses_local_addresses_in_every_spelling) {
  HttpServer server([](const ServedRequest&) { return Reply{.body = "secret"}; });
  for (const char* host : {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1",
                           "[::ffff:127.0.0.1]", "[::1]"}) {
    const Error error =
        error_of([&] { http_request(get(fmt::format("http://{}:{}/", host, server.port())), {}); });
    EXPECT_TRUE(error.code() == Code::permission_denied || error.code() == Code::unavailable)
        << host << ": " << error.what();
  }
  EXPECT_TRUE(server.requests().empty());
  NetPolicy named;
  named.private_hosts = {"127.0.0.1"};
  EXPECT_EQ(http_request(get(server.url("/")), named).body, "secret");
}

TEST(AddressGuard, checks_each_redirect_again) {
  HttpServer inner([](const ServedRequest&) { return Reply{.body = "secret"}; });
  HttpServer outer([&](const ServedRequest&) {
    return Reply{.status = 302,
                 .headers = {{"Location", fmt::format("http://localhost:{}/", inner.port())}}};
  });
  NetPolicy named;
  named.private_hosts = {"127.0.0.1"};
  EXPECT_EQ(error_of([&] { http_request(get(outer.url("/")), named); }).code(),
            Code::permission_denied);
  EXPECT_TRUE(inner.requests().empty());
}

TEST(AddressGuard, offline_closes_everything) {
  NetPolicy policy = kLocal;
  policy.offline = true;
  EXPECT_EQ(error_of([&] { http_request(get("http://127.0.0.1:1/"), policy); }).code(),
            Code::failed_precondition);
}

TEST(AddressGuard, a_proxy_does_not_reach_local_names_either) {
  const ScopedEnvironment proxy("http_proxy", "http://127.0.0.1:9");
  for (const char* url : {"http://localhost/", "http://10.0.0.1/", "http://a.localhost/"}) {
    EXPECT_EQ(error_of([&] { http_request(get(url), {}); }).code(), Code::permission_denied) << url;
  }
}

TEST(HttpClient, uses_the_proxy_of_the_environment) {
  HttpServer proxy([](const ServedRequest& request) { return Reply{.body = request.target}; });
  const ScopedEnvironment set("http_proxy", proxy.url("").c_str());
  EXPECT_EQ(http_request(get("http://example.test/x?y"), {}).body, "http://example.test/x?y");
  const ScopedEnvironment exempt("no_proxy", "other.test,.example.test");
  EXPECT_EQ(error_of([&] { http_request(get("http://example.test/x"), {}); }).code(),
            Code::unavailable);
}

TEST(HttpClient, bodies_headers_and_status) {
  HttpServer server([](const ServedRequest& request) {
    return Reply{.status = 418,
                 .headers = {{"X-Echo", request.headers.at("x-ask")}},
                 .body = request.method + " " + request.body};
  });
  HttpRequest request = get(server.url("/"));
  request.method = "POST";
  request.body = "hello";
  request.headers = {{"X-Ask", "value"}};
  const HttpResponse response = http_request(request, kLocal);
  EXPECT_EQ(response.head.status, 418);
  EXPECT_EQ(response.body, "POST hello");
  EXPECT_EQ(response.head.header("x-ECHO"), "value");
  request.headers = {{"X-Ask", "a\r\nInjected: b"}};
  EXPECT_EQ(error_of([&] { http_request(request, kLocal); }).code(), Code::invalid_argument);
}

TEST(HttpClient, secrets_stay_with_the_first_server) {
  HttpServer other([](const ServedRequest& request) {
    return Reply{.body = request.headers.contains("authorization") ? "leaked" : "clean"};
  });
  HttpServer first([&](const ServedRequest& request) {
    if (request.target == "/here") {
      return Reply{.body = request.headers.contains("authorization") ? "kept" : "lost"};
    }
    const std::string to = request.target == "/away" ? other.url("/") : "/here";
    return Reply{.status = 307, .headers = {{"Location", to}}};
  });
  HttpRequest request = get(first.url("/away"));
  request.secret_headers = {{"Authorization", "Bearer x"}};
  EXPECT_EQ(http_request(request, kLocal).body, "clean");
  request.url = first.url("/stay");
  EXPECT_EQ(http_request(request, kLocal).body, "kept");
}

TEST(HttpClient, redirect_loops_and_wild_schemes_end) {
  HttpServer server([](const ServedRequest& request) {
    return Reply{.status = 302,
                 .headers = {{"Location", request.target == "/file" ? "file:///etc/passwd" : "/"}}};
  });
  EXPECT_EQ(error_of([&] { http_request(get(server.url("/")), kLocal); }).code(),
            Code::unavailable);
  EXPECT_EQ(server.requests().size(), 9u);
  EXPECT_EQ(error_of([&] { http_request(get(server.url("/file")), kLocal); }).code(),
            Code::invalid_argument);
}

TEST(HttpClient, a_range_is_asked_for) {
  HttpServer server([](const ServedRequest&) { return Reply{.body = "0123456789", .etag = "v1"}; });
  HttpRequest request = get(server.url("/"));
  request.range_from = 6;
  const HttpResponse response = http_request(request, kLocal);
  EXPECT_EQ(response.head.status, 206);
  EXPECT_EQ(response.body, "6789");
}

TEST(HttpClient, limits_cuts_and_cancelling_are_told_apart) {
  HttpServer server([](const ServedRequest& request) {
    Reply reply{.body = std::string(100'000, 'x')};
    if (request.target == "/cut") reply.cut_after = 40'000;
    if (request.target == "/lie") reply.said_length = 200'000;
    if (request.target == "/chunked") reply.chunked = true;
    return reply;
  });
  const Error cut = error_of([&] { http_request(get(server.url("/cut")), kLocal); });
  EXPECT_EQ(cut.code(), Code::unavailable);
  EXPECT_NE(cut.message().find("was cut after 40000 of 100000"), std::string::npos) << cut.what();
  EXPECT_EQ(error_of([&] { http_request(get(server.url("/lie")), kLocal); }).code(),
            Code::unavailable);
  EXPECT_EQ(http_request(get(server.url("/chunked")), kLocal).body.size(), 100'000u);
  HttpRequest small = get(server.url("/chunked"));
  small.max_body_bytes = 99'999;
  EXPECT_EQ(error_of([&] { http_request(small, kLocal); }).code(), Code::resource_exhausted);
  HttpRequest stopped = get(server.url("/"));
  stopped.keep_going = [] { return false; };
  EXPECT_EQ(error_of([&] { http_request(stopped, kLocal); }).code(), Code::cancelled);
}

TEST(HttpClient, nobody_at_home_is_unavailable) {
  uint16_t port = 0;
  {
    port = HttpServer([](const ServedRequest&) { return Reply{}; }).port();
  }
  const Error error =
      error_of([&] { http_request(get(fmt::format("http://127.0.0.1:{}/", port)), kLocal); });
  EXPECT_EQ(error.code(), Code::unavailable);
  EXPECT_NE(error.message().find("cannot connect"), std::string::npos) << error.what();
}

TEST(HttpClient, what_a_sink_throws_comes_out) {
  HttpServer server([](const ServedRequest&) { return Reply{.body = "x"}; });
  const Error error = error_of([&] {
    http_stream(get(server.url("/")), kLocal, {},
                [](auto) { throw Error(Code::data_loss, "mine"); });
  });
  EXPECT_EQ(error.code(), Code::data_loss);
}

}  // namespace
}  // namespace strata
