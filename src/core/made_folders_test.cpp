#include "core/made_folders.h"

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata {
namespace {

class MadeFoldersTest : public ::testing::Test {
 protected:
  testing::TempFolder folder_;
  const fs::path deep_ = folder_.path() / "a" / "b" / "c";
};

TEST_F(MadeFoldersTest, EmptyOnesGoAwayAgain) {
  {
    const MadeFolders made(deep_);
    EXPECT_TRUE(fs::is_directory(deep_));
  }
  EXPECT_TRUE(fs::is_empty(folder_.path()));
  {
    const MadeFolders made(deep_ / "");
  }
  EXPECT_TRUE(fs::is_empty(folder_.path())) << "with a slash behind";
}

TEST_F(MadeFoldersTest, WhatHoldsAFileStaysAndWhatWasThereDoesToo) {
  fs::create_directory(folder_.path() / "a");
  {
    const MadeFolders made(deep_);
    write_file_atomic(folder_.path() / "a" / "b" / "file", "mine");
  }
  EXPECT_FALSE(fs::exists(deep_));
  EXPECT_TRUE(fs::exists(folder_.path() / "a" / "b" / "file"));
  fs::remove_all(folder_.path() / "a" / "b");
  {
    const MadeFolders made(deep_);
  }
  EXPECT_TRUE(fs::is_empty(folder_.path() / "a"));
}

TEST_F(MadeFoldersTest, WhereNoneCanBeMadeNothingIsTouched) {
  write_file_atomic(folder_.path() / "a", "a file");
  EXPECT_THROW(MadeFolders{deep_}, Error);
  EXPECT_TRUE(fs::is_regular_file(folder_.path() / "a"));
  EXPECT_NO_THROW(MadeFolders{fs::path()}) << "of a file name alone";
}

}  // namespace
}  // namespace strata
