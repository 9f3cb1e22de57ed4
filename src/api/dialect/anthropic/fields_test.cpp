#include <gtest/gtest.h>

#include "api/dialect/anthropic/anthropic.h"
#include "api/testing/field_cases.h"

namespace strata::api::anthropic {
namespace {

TEST(AnthropicFields, EachIsHonouredRefusedOrNamedAsIgnored) {
  testing::expect_fields(
      "dialect/anthropic/testdata", {"cases.json", "block_cases.json"},
      [](const std::string& body) {
        const Parsed parsed = parse_message(body);
        return testing::Reading{
            fmt::format("{} stream {} caches {} shows {}", testing::shown(parsed.request),
                        parsed.stream, parsed.caches, parsed.shows_thinking),
            parsed.request.ignored};
      });
}

}  // namespace
}  // namespace strata::api::anthropic
