#include "modify/new_folder.h"

#include <gmock/gmock.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata::modify {
namespace {

namespace fs = std::filesystem;

using strata::testing::error_of;
using strata::testing::TempFolder;
using ::testing::HasSubstr;

class NewFolderTest : public ::testing::Test {
 protected:
  void write(const NewFolder& folder) const { write_file_atomic(folder.path() / "new", "new"); }

  TempFolder folder_;
  fs::path place_ = folder_.path() / "model";
};

TEST_F(NewFolderTest, AModelsFolderIsReplacedAndNoOther) {
  write_file_atomic(place_ / "old", "old");
  const auto refused = [&] { return error_of([&] { NewFolder(place_, true); }).message(); };
  EXPECT_THAT(refused(), HasSubstr("has no config.json"));
  write_file_atomic(place_ / "config.json", "{}");
  write_file_atomic(place_ / "photos" / "one", "one");
  EXPECT_THAT(refused(), HasSubstr("has a folder 'photos'"));
  fs::remove_all(place_ / "photos");
  EXPECT_EQ(error_of([&] { NewFolder{place_}; }).code(), Code::already_exists);
  {
    NewFolder folder(place_, true);
    write(folder);
    EXPECT_TRUE(fs::exists(place_ / "old")) << "it stays until the new one is whole";
    folder.finish();
  }
  EXPECT_FALSE(fs::exists(place_ / "old"));
  EXPECT_TRUE(fs::exists(place_ / "new"));
  EXPECT_FALSE(fs::exists(place_.string() + ".old"));
}

// Those that its modules.json names are its own, but for what these hold in turn, and links.
TEST_F(NewFolderTest, FoldersOfModulesAreItsOwn) {
  write_file_atomic(place_ / "config.json", "{}");
  write_file_atomic(place_ / "modules.json",
                    R"([{"type": "a.Transformer", "path": ""}, {"type": "a.Pooling", "path": "1_P"},
                        {"type": "a.Normalize", "path": "2_N"}])");
  write_file_atomic(place_ / "1_P" / "config.json", "{}");
  EXPECT_NO_THROW(NewFolder(place_, true));
  const auto refused = [&] { return error_of([&] { NewFolder(place_, true); }).message(); };
  write_file_atomic(place_ / "1_P" / "photos" / "one", "one");
  EXPECT_THAT(refused(), HasSubstr("has a folder '1_P/photos'"));
  fs::remove_all(place_ / "1_P" / "photos");
  fs::create_directory_symlink(folder_.path(), place_ / "2_N");
  EXPECT_THAT(refused(), HasSubstr("has a folder '2_N'"));
  fs::remove(place_ / "2_N");
  write_file_atomic(place_ / "modules.json", "[3]");
  EXPECT_THAT(refused(), HasSubstr("has a folder '1_P'"));
  EXPECT_TRUE(fs::exists(place_ / "1_P" / "config.json"));
}

TEST_F(NewFolderTest, ALinkToAFolderIsNotReplaced) {
  write_file_atomic(folder_.path() / "elsewhere" / "config.json", "{}");
  fs::create_directory_symlink(folder_.path() / "elsewhere", place_);
  EXPECT_EQ(error_of([&] { NewFolder(place_, true); }).code(), Code::invalid_argument);
  EXPECT_TRUE(fs::exists(folder_.path() / "elsewhere" / "config.json"));
}

// A file under that name, or what a crash kept as the old folder, is nobody's to remove.
TEST_F(NewFolderTest, WhatElseIsThereIsKept) {
  write_file_atomic(place_ / "config.json", "{}");
  write_file_atomic(folder_.path() / "model.old", "mine");
  EXPECT_EQ(error_of([&] { NewFolder(place_, true); }).code(), Code::already_exists);
  fs::remove_all(place_);
  write_file_atomic(place_, "a file");
  EXPECT_EQ(error_of([&] { NewFolder(place_, true); }).code(), Code::invalid_argument);
}

TEST_F(NewFolderTest, OfWhatIsOnlyShownNothingStays) {
  const fs::path deep = folder_.path() / "a" / "b" / "model";
  {
    const NewFolder folder = NewFolder::to_show(deep, false);
    write(folder);
    EXPECT_TRUE(fs::exists(folder.path() / "new"));
  }
  EXPECT_TRUE(fs::is_empty(folder_.path()));
  write_file_atomic(place_ / "config.json", "{}");
  EXPECT_EQ(error_of([&] { NewFolder::to_show(place_, false); }).code(), Code::already_exists);
}

TEST_F(NewFolderTest, FoldersMadeForWhatDoesNotComeAboutGoAwayAgain) {
  {
    const NewFolder folder(folder_.path() / "mistyped" / "a" / "model");
    write(folder);
  }
  EXPECT_TRUE(fs::is_empty(folder_.path()));
  NewFolder whole(folder_.path() / "meant" / "model");
  write(whole);
  whole.finish();
  EXPECT_TRUE(fs::exists(folder_.path() / "meant" / "model" / "new"));
}

}  // namespace
}  // namespace strata::modify
