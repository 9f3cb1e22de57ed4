#include "api/files/file_store.h"

#include <atomic>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"

namespace strata::api {
namespace {

using strata::testing::error_of;

class Files : public ::testing::Test {
 protected:
  StoredFile add(const std::string& content, const std::string& owner = "eve",
                 std::optional<int64_t> expires = {}) {
    return files_.add(
        {.owner = owner, .name = "a.jsonl", .purpose = "batch", .created = 100, .expires = expires},
        content);
  }
  size_t n_contents() const {
    const std::filesystem::directory_iterator list(folder_.path() / "files");
    return static_cast<size_t>(std::distance(begin(list), end(list)));
  }

  strata::testing::TempFolder folder_;
  FileStore files_{folder_.path() / "strata.db", folder_.path() / "files"};
};

TEST_F(Files, AreReadBackByAnotherProcess) {
  const StoredFile added = add("one\n");
  const FileStore again(folder_.path() / "strata.db", folder_.path() / "files");
  const StoredFile found = again.get("eve", added.id, 100);
  EXPECT_EQ(again.read(found), "one\n");
  EXPECT_EQ(found.size_bytes, 4);
  EXPECT_EQ(found.purpose, "batch");
}

TEST_F(Files, AreTheirOwnersOnly) {
  const StoredFile added = add("secret");
  EXPECT_FALSE(files_.find("mallory", added.id, 100));
  EXPECT_FALSE(files_.remove("mallory", added.id));
  EXPECT_TRUE(files_.list({.owner = "mallory", .limit = 9}, 100).empty());
  EXPECT_EQ(error_of([&] {
              files_.list({.owner = "mallory", .after = added.id, .limit = 9}, 100);
            }).code(),
            Code::not_found);
}

TEST_F(Files, TheSameContentIsStoredOnceAndGoesWithItsLastFile) {
  const StoredFile first = add("same"), second = add("same", "bob");
  EXPECT_EQ(n_contents(), 1u);
  EXPECT_TRUE(files_.remove("eve", first.id));
  EXPECT_EQ(files_.read(second), "same");
  EXPECT_TRUE(files_.remove("bob", second.id));
  EXPECT_EQ(n_contents(), 0u);
  EXPECT_FALSE(files_.remove("bob", second.id));
}

TEST_F(Files, ThatHaveExpiredAreGone) {
  const StoredFile file = add("x", "eve", 200);
  EXPECT_TRUE(files_.find("eve", file.id, 199));
  EXPECT_FALSE(files_.find("eve", file.id, 200));
  EXPECT_TRUE(files_.list({.owner = "eve", .limit = 9}, 200).empty());
  files_.add({.owner = "eve", .name = "b", .purpose = "batch", .created = 201}, "y");
  EXPECT_EQ(n_contents(), 1u) << "the next one sweeps";
  const StoredFile last = add("z", "eve", 300);
  files_.remove_expired(299);
  EXPECT_EQ(n_contents(), 2u);
  files_.remove_expired(300);
  EXPECT_EQ(n_contents(), 1u);
  EXPECT_FALSE(files_.remove("eve", last.id)) << "its row is gone, too";
}

TEST_F(Files, AreListedInPages) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(add(std::to_string(i)).id);
  const auto ascending =
      files_.list({.owner = "eve", .after = ids[1], .limit = 2, .ascending = true}, 100);
  ASSERT_EQ(ascending.size(), 3u) << "one more, for there are more";
  EXPECT_EQ(ascending[0].id, ids[2]);
  const auto newest = files_.list({.owner = "eve", .limit = 9}, 100);
  EXPECT_EQ(newest.front().id, ids[4]);
  EXPECT_TRUE(files_.list({.owner = "eve", .purpose = "vision", .limit = 9}, 100).empty());
}

TEST_F(Files, ThatWereChangedOnTheDiskAreNotReadAsIfNothingWere) {
  const StoredFile file = add("true");
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "files")) {
    std::ofstream(entry.path()) << "fake";
  }
  EXPECT_EQ(error_of([&] { files_.read(file); }).code(), Code::data_loss);
}

TEST_F(Files, WithNamesThatAreNoneAreRefused) {
  for (const std::string& name :
       {std::string(), std::string("a\nb"), std::string(256, 'a'), std::string("\xff")}) {
    const Error error =
        error_of([&] { files_.add({.owner = "eve", .name = name, .purpose = "batch"}, "x"); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
  }
}

TEST_F(Files, AreRemovedWhileAnotherConnectionWrites) {
  std::atomic<bool> done = false;
  std::thread writer([&] {
    FileStore other(folder_.path() / "strata.db", folder_.path() / "files");
    while (!done) {
      const StoredFile mine =
          other.add({.owner = "adam", .name = "b", .purpose = "batch", .created = 100}, "the same");
      other.remove("adam", mine.id);
    }
  });
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(files_.remove("eve", add("x" + std::to_string(i)).id));
  done = true;
  writer.join();
}

}  // namespace
}  // namespace strata::api
