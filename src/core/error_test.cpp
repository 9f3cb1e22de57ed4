#include "core/error.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(Error, CodesMapToHttpAndExitStatus) {
  EXPECT_EQ(http_status(Code::not_found), 404);
  EXPECT_EQ(http_status(Code::failed_precondition), 400);  // clients ask again after a 409
  EXPECT_EQ(exit_code(Code::not_found), 3);
  EXPECT_EQ(http_status(Code::deadline_exceeded), 504);
  EXPECT_EQ(exit_code(Code::cancelled), 130);
  EXPECT_EQ(name(Code::data_loss), "data_loss");
}

TEST(Error, WhatCarriesMessageAndHint) {
  const Error error(Code::unavailable, "no answer from 127.0.0.1:1", "start it: strata serve");
  EXPECT_STREQ(error.what(), "no answer from 127.0.0.1:1 (start it: strata serve)");
}

}  // namespace
}  // namespace strata
