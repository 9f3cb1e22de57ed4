// What an error's answer says beside its body, in every dialect.
#include "api/dialect/answer.h"

#include <gtest/gtest.h>

namespace strata::api {
namespace {

// The makers' libraries ask twice more after 409 and 501 unless they are told not to.
TEST(Errors, ThatDoNotPassByWaitingAskForNoOtherTry) {
  for (const auto& dialect : Registry<Dialect>::all()) {
    for (int i = 0; i <= static_cast<int>(Code::deadline_exceeded); ++i) {
      const Response response = error_response(*dialect, Error(static_cast<Code>(i), "message"));
      const bool stays = response.status == 409 || response.status == 501;
      EXPECT_EQ(response.headers.find("x-should-retry").value_or(""), stays ? "false" : "")
          << dialect->name() << " " << response.status;
    }
  }
}

}  // namespace
}  // namespace strata::api
