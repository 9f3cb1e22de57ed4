#include "tensor/arena.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"

namespace strata::tensor {
namespace {

bool is_zero(const Buffer& buffer) {
  return std::all_of(buffer.data(), buffer.data() + buffer.size(),
                     [](std::byte b) { return b == std::byte{0}; });
}

TEST(Arena, PartsAreAlignedZeroedAndApart) {
  Arena arena;
  std::vector<Buffer> taken;
  // Small ones, one beyond a block's end, one that has pages of its own.
  for (const size_t size : {1u, 64u, 100u, 3u << 20, 20u << 20, 3u << 20, 30u}) {
    taken.push_back(arena.take(size));
    const Buffer& buffer = taken.back();
    EXPECT_GE(buffer.size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    ASSERT_TRUE(is_zero(buffer)) << size;
    std::memset(buffer.data(), static_cast<int>(taken.size()), buffer.size());
  }
  ASSERT_EQ(arena.parts().size(), taken.size());
  for (size_t i = 0; i < taken.size(); ++i) {
    const auto part = arena.parts()[i];
    EXPECT_EQ(part.data(), taken[i].data());
    EXPECT_EQ(part.front(), std::byte(i + 1));
    EXPECT_EQ(part.back(), std::byte(i + 1));
  }
}

TEST(Arena, APartOutlivesTheArena) {
  Buffer part;
  {
    Arena arena;
    part = arena.take(1000);
  }
  std::memset(part.data(), 1, part.size());
  EXPECT_EQ(part.data()[999], std::byte{1});
}

TEST(Arena, AFilledOneGivesWhatWasThereInOrder) {
  auto content = std::make_shared<std::vector<std::byte>>(256);
  for (size_t i = 0; i < 256; ++i) (*content)[i] = std::byte(i);
  const std::weak_ptr<const void> kept = content;
  Buffer second;
  {
    Arena arena(content, *content);
    content.reset();
    EXPECT_TRUE(arena.filled());
    EXPECT_EQ(arena.take(10).data()[0], std::byte{0});
    second = arena.take(128);
    EXPECT_EQ(second.data()[0], std::byte{64});
    const Error error = testing::error_of([&] { arena.take(65); });
    EXPECT_EQ(error.code(), Code::data_loss);
  }
  EXPECT_EQ(second.data()[127], std::byte{191});
  second = {};
  EXPECT_TRUE(kept.expired());
}

}  // namespace
}  // namespace strata::tensor
