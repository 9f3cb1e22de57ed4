#include "models/format/made_file.h"

#include <array>
#include <atomic>

#include <gtest/gtest.h>

namespace strata::models {
namespace {

class MadeParts : public ::testing::Test {
 protected:
  MadeParts() : file_("made", 0, nullptr, [](std::span<const std::byte>) {}) {
    const std::array<uint64_t, 3> shape{16, 4, 2};
    std::vector<MadePart> parts;
    for (int matrix = 0; matrix < 2; ++matrix) {
      parts.push_back({.size_bytes = 64 * sizeof(float),
                       .mapped = {},
                       .make =
                           [this, matrix] {
                             ++n_made_;
                             return std::vector(64 * sizeof(float), std::byte(matrix + 1));
                           },
                       .reads = {}});
    }
    file_.add_tensor("stack", tensor::DType::f32, shape, std::move(parts), "stack");
  }

  std::byte at(uint64_t begin) {
    return file_.bytes(*file_.find_tensor("stack"), begin, 4).view[0];
  }

  MadeFile file_;
  std::atomic<int> n_made_{0};
};

TEST_F(MadeParts, AreMadeOnceForSliceAfterSlice) {
  for (uint64_t begin = 0; begin < 512; begin += 4) {
    EXPECT_EQ(at(begin), begin < 256 ? std::byte{1} : std::byte{2});
  }
  EXPECT_EQ(n_made_, 2);
  file_.release(*file_.find_tensor("stack"));
  at(508);
  EXPECT_EQ(n_made_, 3) << "what is released takes no memory";
}

TEST_F(MadeParts, SlicesOverTwoHaveBoth) {
  const TensorBytes bytes = file_.bytes(*file_.find_tensor("stack"), 252, 8);
  EXPECT_EQ(bytes.view[3], std::byte{1});
  EXPECT_EQ(bytes.view[4], std::byte{2});
  EXPECT_EQ(n_made_, 2);
}

}  // namespace
}  // namespace strata::models
