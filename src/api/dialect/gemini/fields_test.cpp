#include <gtest/gtest.h>

#include "api/dialect/gemini/gemini.h"
#include "api/testing/field_cases.h"

namespace strata::api::gemini {
namespace {

TEST(GeminiFields, EachIsHonouredRefusedOrNamedAsIgnored) {
  testing::expect_fields("dialect/gemini/testdata", {"cases.json"}, [](const std::string& body) {
    const Parsed parsed = parse_generate("m", body);
    return testing::Reading{
        fmt::format("{} shows {}", testing::shown(parsed.request), parsed.shows_thoughts),
        parsed.request.ignored};
  });
}

}  // namespace
}  // namespace strata::api::gemini
