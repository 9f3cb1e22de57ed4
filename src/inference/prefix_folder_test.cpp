#include "inference/prefix_folder.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/temp_folder.h"

namespace strata::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PrefixFolderTest : public ::testing::Test {
 protected:
  // A file of one block of 1000 bytes, last used so many minutes ago; returns its size.
  uint64_t put(const std::string& model, int minutes_ago) {
    const auto lock = folder_.lock();
    PrefixIndex index{.model = model, .identity = "i", .block_bytes = {1000}, .nodes = {}};
    index.nodes.push_back({-1, 0, {1, 2, 3}, {{.there = true}}});
    const std::vector<std::byte> bytes(1000);
    write_prefix_file(folder_.file_of(model), index,
                      [&](size_t, size_t) { return std::span<const std::byte>(bytes); });
    fs::last_write_time(folder_.file_of(model),
                        fs::file_time_type::clock::now() - std::chrono::minutes(minutes_ago));
    return fs::file_size(folder_.file_of(model));
  }
  std::vector<std::string> models() const {
    std::vector<std::string> names;
    for (const auto& entry : folder_.list()) names.push_back(entry.model);
    return names;
  }

  strata::testing::TempFolder root_;
  PrefixFolder folder_{root_.path() / "cache" / "prefixes"};
};

TEST_F(PrefixFolderTest, WithoutAFolderThereIsNothing) {
  EXPECT_THAT(folder_.list(), ElementsAre());
  EXPECT_FALSE(folder_.remove("a:1"));
  EXPECT_EQ(folder_.remove_all(), 0u);
  EXPECT_FALSE(fs::exists(folder_.path()));
}

TEST_F(PrefixFolderTest, ListsTheLatestUsedFirst) {
  put("old:1", 30);
  const uint64_t bytes = put("hf:me/new:Q4", 2);
  const auto entries = folder_.list();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].model, "hf:me/new:Q4");
  EXPECT_EQ(entries[0].n_tokens, 3);
  EXPECT_EQ(entries[0].bytes, bytes);
  EXPECT_NEAR(static_cast<double>(entries[0].last_use_s - entries[1].last_use_s), 28 * 60, 2);
  EXPECT_EQ(fs::status(folder_.path()).permissions(), fs::perms::owner_all);
}

TEST_F(PrefixFolderTest, MakesRoomByWhatWasUsedLongestAgo) {
  put("b:1", 20);
  const uint64_t each = put("a:1", 30);
  put("c:1", 10);
  const auto lock = folder_.lock();
  folder_.make_room("new:1", each, 4 * each);
  EXPECT_THAT(models(), ElementsAre("c:1", "b:1", "a:1"));
  folder_.make_room("new:1", each, 4 * each - 1);
  EXPECT_THAT(models(), ElementsAre("c:1", "b:1"));
  folder_.make_room("b:1", each, 2 * each);
  EXPECT_THAT(models(), ElementsAre("c:1", "b:1")) << "its own file is replaced, not added";
  folder_.make_room("b:1", each, each);
  EXPECT_THAT(models(), ElementsAre("b:1"));
}

TEST_F(PrefixFolderTest, DamagedFilesAreListedAndRemoved) {
  put("a:1", 1);
  write_file_atomic(folder_.file_of("a:1"), "strataKV and no more");
  const auto entries = folder_.list();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].model, "");
  EXPECT_THAT(entries[0].damage, HasSubstr("damaged"));
  EXPECT_FALSE(folder_.open({.model = "a:1", .identity = "i", .block_bytes = {1000}, .nodes = {}}));
  EXPECT_EQ(folder_.remove_all(), 1u);
  EXPECT_THAT(folder_.list(), ElementsAre());
}

TEST_F(PrefixFolderTest, OneModelsFileIsNoOthers) {
  put("a:1", 1);
  put("b:1", 1);
  fs::rename(folder_.file_of("a:1"), folder_.file_of("b:1"));
  const PrefixIndex head{.model = "b:1", .identity = "i", .block_bytes = {1000}, .nodes = {}};
  EXPECT_TRUE(folder_.open(head)) << "the same weights under another name are the same";
  EXPECT_FALSE(folder_.open({.model = "b:1", .identity = "j", .block_bytes = {1000}, .nodes = {}}));
  EXPECT_FALSE(folder_.open({.model = "b:1", .identity = "i", .block_bytes = {999}, .nodes = {}}));
  EXPECT_TRUE(folder_.remove("b:1"));
  EXPECT_FALSE(folder_.open(head));
}

TEST_F(PrefixFolderTest, WhoWritesIsAloneAndCleansUpBehindACrash) {
  put("a:1", 1);
  const fs::path left = folder_.path() / (std::string(kTemporaryPrefix) + "x.prefixes");
  write_file_atomic(left, "half");
  EXPECT_THAT(models(), ElementsAre("a:1"));
  const auto lock = folder_.lock();
  EXPECT_FALSE(fs::exists(left));
  EXPECT_FALSE(FileLock::attempt(folder_.path() / ".lock", FileLock::Kind::exclusive));
}

}  // namespace
}  // namespace strata::inference
