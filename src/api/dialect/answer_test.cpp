// What an error's answer says beside its body, in every dialect.
#include "api/dialect/answer.h"

#include <gtest/gtest.h>

#include "api/not_yet.h"

namespace strata::api {
namespace {

std::string should_retry(const Dialect& dialect, const Error& error) {
  return std::string(error_response(dialect, error).headers.find("x-should-retry").value_or(""));
}

// The makers' libraries ask twice more unless they are told not to.
TEST(Errors, ThatStayAskForNoOtherTry) {
  for (const auto& dialect : Registry<Dialect>::all()) {
    for (const Code code : {Code::already_exists, Code::unimplemented}) {
      EXPECT_EQ(should_retry(*dialect, Error(code, "message")), "false") << dialect->name();
    }
    // Not every library reads that header; after this status none asks again.
    EXPECT_EQ(error_response(*dialect, Error(Code::failed_precondition, "message")).status, 400)
        << dialect->name();
  }
}

TEST(Errors, ThatPassByWaitingLeaveTheNextTryToTheClient) {
  for (const auto& dialect : Registry<Dialect>::all()) {
    EXPECT_EQ(should_retry(*dialect, NotYet("still at work")), "") << dialect->name();
    EXPECT_EQ(error_response(*dialect, NotYet("still at work")).status, 409) << dialect->name();
    for (const Code code :
         {Code::unavailable, Code::resource_exhausted, Code::internal, Code::deadline_exceeded}) {
      EXPECT_EQ(should_retry(*dialect, Error(code, "message")), "") << dialect->name();
    }
    const Response full = error_response(*dialect, Error(Code::unavailable, "the queue is full"));
    EXPECT_EQ(full.headers.find("retry-after"), "1") << dialect->name();
  }
}

}  // namespace
}  // namespace strata::api
