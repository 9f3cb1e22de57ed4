#include "api/http/router.h"

#include <gtest/gtest.h>

namespace strata::api {
namespace {

RouteTable table() {
  RouteTable routes;
  for (const auto& [method, pattern] : {std::pair{"GET", "/v1/things/{id}"},
                                        {"POST", "/v1/things/{id}"},
                                        {"POST", "/v1/things/{id}/cancel"},
                                        {"GET", "/v1/things/{id}/parts"},
                                        {"POST", "/v1/things/count"},
                                        {"GET", "/v1/things/{id}/parts/{part}"}}) {
    Route route;
    route.method = method;
    route.pattern = pattern;
    routes.add(std::move(route));
  }
  return routes;
}

TEST(RouteTable, APatternTakesOnePieceInTheMiddleAndTheRestAtTheEnd) {
  const RouteTable routes = table();
  const auto cancel = routes.match("POST", "/v1/things/a/cancel");
  ASSERT_NE(cancel.route, nullptr);
  EXPECT_EQ(cancel.route->pattern, "/v1/things/{id}/cancel");
  EXPECT_EQ(cancel.params.at("id"), "a");
  const auto part = routes.match("GET", "/v1/things/a/parts/b/c");
  ASSERT_NE(part.route, nullptr);
  EXPECT_EQ(part.params.at("id"), "a");
  EXPECT_EQ(part.params.at("part"), "b/c");
  const auto rest = routes.match("GET", "/v1/things/library/name");
  ASSERT_NE(rest.route, nullptr);
  EXPECT_EQ(rest.params.at("id"), "library/name");
}

TEST(RouteTable, AnEndingBehindTheLastPieceIsTheCloserPattern) {
  RouteTable routes;
  for (const char* pattern : {"/models/{id}", "/models/{model}:ask"}) {
    Route route;
    route.method = "POST";
    route.pattern = pattern;
    routes.add(std::move(route));
  }
  const auto asked = routes.match("POST", "/models/me/name:tag:ask");
  ASSERT_NE(asked.route, nullptr);
  EXPECT_EQ(asked.params.at("model"), "me/name:tag");
  for (const char* path : {"/models/name:asks", "/models/name:ask/x", "/models/:ask"}) {
    const auto other = routes.match("POST", path);
    ASSERT_NE(other.route, nullptr) << path;
    EXPECT_EQ(other.route->pattern, "/models/{id}") << path;
  }
}

TEST(RouteTable, TheCloserPatternWinsWhateverTheOrder) {
  const RouteTable routes = table();
  EXPECT_EQ(routes.match("POST", "/v1/things/count").route->pattern, "/v1/things/count");
  EXPECT_EQ(routes.match("GET", "/v1/things/a/parts").route->pattern, "/v1/things/{id}/parts");
  EXPECT_EQ(routes.match("GET", "/v1/things/a").route->pattern, "/v1/things/{id}");
}

TEST(RouteTable, AnEmptyPieceIsNone) {
  const RouteTable routes = table();
  EXPECT_EQ(routes.match("POST", "/v1/things/").route, nullptr);
  // The rest at the end may begin with a slash, a piece in the middle may not be empty.
  EXPECT_EQ(routes.match("POST", "/v1/things//cancel").route->pattern, "/v1/things/{id}");
  EXPECT_EQ(routes.match("DELETE", "/v1/things/a").allowed, "GET, HEAD, OPTIONS, POST");
}

}  // namespace
}  // namespace strata::api
