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
