#include "app/cli/model_file.h"

#include <gmock/gmock.h>

#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata::app {
namespace {

using strata::testing::error_of;

// A name may be that of a model; what begins as a path is one.
TEST(BarePaths, WhatLiesHereIsNamedByItsPathOnly) {
  const strata::testing::TempFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_file_atomic("tiny.gguf", "GGUF");
  const Error error = error_of([] { refuse_bare_path("tiny.gguf"); });
  EXPECT_EQ(error.code(), Code::not_found);
  EXPECT_THAT(error.hint(), ::testing::HasSubstr("./tiny.gguf"));
  refuse_bare_path("./tiny.gguf");
  refuse_bare_path((folder.path() / "tiny.gguf").string());
  refuse_bare_path("file:tiny.gguf");
  refuse_bare_path("nothing.gguf");
  fs::current_path(before);
}

}  // namespace
}  // namespace strata::app
