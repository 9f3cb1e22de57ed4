// Files of beginnings: what was written is read, and nothing else is believed.
#include "inference/prefix_file.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "inference/kv_pool.h"

namespace strata::inference {
namespace {

using strata::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<int32_t> tokens(int32_t first, int32_t n) {
  std::vector<int32_t> out(static_cast<size_t>(n));
  std::iota(out.begin(), out.end(), first);
  return out;
}

// Two scopes; a full block with two that go on from it, one of them without its window's block.
PrefixIndex example() {
  PrefixIndex index{
      .model = "tiny:latest", .identity = "weights w", .block_bytes = {48, 16}, .nodes = {}};
  index.nodes.push_back({-1, 0, tokens(0, kBlockPositions), {{.there = true}, {.there = true}}});
  index.nodes.push_back({0, 0, tokens(500, kBlockPositions), {{.there = true}, {}}});
  index.nodes.push_back({-1, 7, tokens(0, 3), {{.there = true}, {.there = true}}});
  index.nodes.push_back({0, 0, tokens(600, 1), {{.there = true}, {.there = true}}});
  return index;
}

std::vector<std::byte> block_of(size_t node, size_t pool, size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(1 + node * 50 + pool * 20 + i);
  return bytes;
}

fs::path write_example(const fs::path& folder) {
  const fs::path path = folder / "example.prefixes";
  std::vector<std::byte> bytes;
  write_prefix_file(path, example(), [&](size_t node, size_t pool) {
    bytes = block_of(node, pool, pool == 0 ? 48 : 16);
    return std::span<const std::byte>(bytes);
  });
  return path;
}

// Reads all that a file says; throws what a reader would be told.
void read_everything(const fs::path& path) {
  PrefixFile file = PrefixFile::open(path);
  const auto& index = file.index();
  ASSERT_EQ(index.nodes.size(), 4u);
  for (size_t n = 0; n < index.nodes.size(); ++n) {
    const PrefixFileNode expected = example().nodes[n];
    ASSERT_EQ(index.nodes[n].parent, expected.parent);
    ASSERT_EQ(index.nodes[n].scope, expected.scope);
    ASSERT_EQ(index.nodes[n].tokens, expected.tokens);
    for (size_t p = 0; p < 2; ++p) {
      ASSERT_EQ(index.nodes[n].blocks[p].there, expected.blocks[p].there);
      if (!expected.blocks[p].there) continue;
      std::vector<std::byte> bytes(p == 0 ? 48 : 16);
      file.read_block(n, p, bytes);
      ASSERT_EQ(bytes, block_of(n, p, bytes.size()));
    }
  }
}

class PrefixFileOnDisk : public ::testing::Test {
 protected:
  void put(std::string_view content) {
    File::open(path_, File::Mode::truncate).write(std::as_bytes(std::span(content)));
  }

  strata::testing::TempFolder folder_;
  fs::path path_ = write_example(folder_.path());
  std::string content_ = read_file(path_);
};

TEST_F(PrefixFileOnDisk, IsReadAsItWasWritten) {
  read_everything(path_);
  const PrefixFile file = PrefixFile::open(path_);
  EXPECT_EQ(file.index().model, "tiny:latest");
  EXPECT_EQ(file.index().identity, "weights w");
  EXPECT_EQ(file.index().n_tokens(), 128 + 128 + 3 + 1);
  EXPECT_THAT(file.beginnings(0), ElementsAre(0));
  EXPECT_THAT(file.beginnings(7), ElementsAre(2));
  EXPECT_THAT(file.beginnings(8), IsEmpty());
  EXPECT_THAT(file.children(0), ElementsAre(1, 3));
  EXPECT_THAT(file.children(1), IsEmpty());
}

TEST_F(PrefixFileOnDisk, OnlyItsOwnerReadsIt) {
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(PrefixFileOnDisk, TheSizeIsThatOfIndexAndBlocks) {
  const PrefixIndex index = example();
  uint64_t bytes = index_bytes({index.model, index.identity, index.block_bytes, {}}).size();
  for (const auto& node : index.nodes) {
    bytes += node_bytes(node) + blocks_bytes(node, index.block_bytes);
  }
  EXPECT_EQ(content_.size(), bytes);
}

TEST_F(PrefixFileOnDisk, CutOffAnywhereItIsRefused) {
  for (size_t n = 0; n < content_.size(); ++n) {
    put(std::string_view(content_).substr(0, n));
    ASSERT_EQ(error_of([&] { PrefixFile::open(path_); }).code(), Code::data_loss) << n;
  }
  put(content_ + '\0');
  const Error longer = error_of([&] { PrefixFile::open(path_); });
  EXPECT_EQ(longer.code(), Code::data_loss);
  EXPECT_THAT(longer.message(), HasSubstr(path_.string()));
}

TEST_F(PrefixFileOnDisk, WithABitOfAnyByteFlippedItIsRefused) {
  for (size_t at = 0; at < content_.size(); ++at) {
    std::string flipped = content_;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    put(flipped);
    const Code code = error_of([&] { read_everything(path_); }).code();
    ASSERT_TRUE(code == Code::data_loss || code == Code::failed_precondition) << at;
  }
}

TEST_F(PrefixFileOnDisk, AFileThatIsCutWhileItIsOpenIsRefused) {
  PrefixFile file = PrefixFile::open(path_);
  File::open(path_, File::Mode::append).truncate(content_.size() - 1);
  std::vector<std::byte> bytes(16);
  EXPECT_EQ(error_of([&] { file.read_block(3, 1, bytes); }).code(), Code::data_loss);
}

TEST_F(PrefixFileOnDisk, AWriterThatFailsLeavesTheOldOne) {
  const auto failing = [](size_t, size_t) -> std::span<const std::byte> {
    throw Error(Code::unavailable, "no");
  };
  EXPECT_EQ(error_of([&] { write_prefix_file(path_, example(), failing); }).code(),
            Code::unavailable);
  EXPECT_EQ(read_file(path_), content_);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 1) << "and nothing else";
}

// Indexes that are well-formed bytes, but cannot be.
TEST(PrefixIndex, WhatCannotBeIsRefused) {
  const auto refusal = [](const std::function<void(PrefixIndex&)>& spoil) {
    PrefixIndex index = example();
    spoil(index);
    const std::string bytes = index_bytes(index);
    uint64_t size = bytes.size();
    for (const auto& node : index.nodes) size += blocks_bytes(node, index.block_bytes);
    return error_of([&] { parse_prefix_index(std::as_bytes(std::span(bytes)), size); });
  };
  for (const auto& [spoil, what] :
       std::initializer_list<std::pair<std::function<void(PrefixIndex&)>, const char*>>{
           {[](auto& index) { index.nodes[1].parent = 1; }, "node 1 hangs on 1"},
           {[](auto& index) { index.nodes[1].parent = 3; }, "node 1 hangs on 3"},
           {[](auto& index) { index.nodes[1].parent = -2; }, "node 1 hangs on -2"},
           {[](auto& index) { index.nodes[3].parent = 2; }, "a part of a block goes on"},
           {[](auto& index) { index.nodes[1].scope = 7; }, "another scope"},
           {[](auto& index) { index.nodes[3].tokens.clear(); }, "a node of 0 tokens"},
           {[](auto& index) { index.nodes[3].tokens = tokens(0, 129); }, "a node of 129 tokens"}}) {
    const Error error = refusal(spoil);
    EXPECT_EQ(error.code(), Code::data_loss) << what;
    EXPECT_THAT(error.message(), HasSubstr(what));
  }
}

TEST(PrefixIndex, BlocksBeyondWhatNumbersCanSayAreRefused) {
  PrefixIndex index = example();
  index.block_bytes = {UINT64_MAX / 2, UINT64_MAX / 2};
  const std::string bytes = index_bytes(index);
  EXPECT_EQ(error_of([&] { parse_prefix_index(std::as_bytes(std::span(bytes)), 1 << 20); }).code(),
            Code::data_loss);
}

}  // namespace
}  // namespace strata::inference
