// HDF5 files that are broken or lie: what h5py wrote with something changed.
#include <gmock/gmock.h>

#include "models/format/hdf5.h"
#include "models/testing/published.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

constexpr size_t kRootEntry = 56;  // in superblock 0

// Groups "a" and "a/b"; data sets "a/b/kernel:0" (float32, 2 x 3) and "a/bias:0" (int16, 3).
class Hdf5Hostile : public ::testing::Test {
 protected:
  std::string message(std::string_view bytes) const {
    return message_of(bytes, [](std::span<const std::byte> exact) { parse_hdf5(exact, "file"); });
  }
  // Where the n-th stands.
  size_t place(std::string_view what, size_t n = 0) const {
    size_t at = good_.find(what);
    for (; n > 0 && at != std::string::npos; --n) at = good_.find(what, at + 1);
    EXPECT_NE(at, std::string::npos) << what;
    return at;
  }
  template <typename T>
  std::string changed(size_t at, T value) const {
    return message(with(good_, at, value));
  }
  uint64_t number(size_t at) const {
    uint64_t value = 0;
    std::memcpy(&value, good_.data() + at, sizeof value);
    return value;
  }
  // Of data in one piece: version 3, class 1, then address and size.
  size_t layout(uint64_t size) const {
    size_t at = good_.find("\x03\x01");
    while (at != std::string::npos && number(at + 10) != size) at = good_.find("\x03\x01", at + 1);
    EXPECT_NE(at, std::string::npos) << size;
    return at + 2;
  }
  size_t kernel_layout() const { return layout(24); }
  size_t kernel_shape() const {
    return place(as_bytes_text(uint64_t{2}) + as_bytes_text(uint64_t{3}));
  }

  std::string good_ = read_file(kPublished / "../hdf5_fuzz/keras");
};

TEST_F(Hdf5Hostile, WhatIsRightIsRead) {
  const auto tensors = parse_hdf5(std::as_bytes(std::span(good_)), "file");
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "a/b/kernel:0");
  EXPECT_EQ(tensors[0].type, SafeType::f32);
  EXPECT_EQ(tensors[0].shape, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(tensors[1].name, "a/bias:0");
  EXPECT_EQ(tensors[1].type, SafeType::i16);
  const std::array<int16_t, 3> numbers{0, 1, 2};
  EXPECT_EQ(std::memcmp(tensors[1].bytes.data(), numbers.data(), 6), 0);
}

TEST_F(Hdf5Hostile, GroupsThatGoRoundInCircles) {
  const uint64_t root = number(kRootEntry + 8);
  for (size_t i = 0; i < 3; ++i) {  // the first member of each group is the root
    EXPECT_THAT(changed(place("SNOD", i) + 8 + 8, root),
                HasSubstr("an object at " + std::to_string(root) + " is reached twice"));
  }
}

TEST_F(Hdf5Hostile, TreesThatGoRoundInCircles) {
  for (size_t i = 0; i < 3; ++i) {
    const size_t tree = place("TREE", i);
    const std::string deeper = with(good_, tree + 5, uint8_t{1});
    EXPECT_THAT(message(with(deeper, tree + 32, uint64_t{tree})), HasSubstr("is reached twice"));
    EXPECT_THAT(message(deeper), HasSubstr("there is no B-tree of a group at"));
    EXPECT_THAT(changed(tree + 5, uint8_t{200}), HasSubstr("is of level 200"));
    EXPECT_THAT(changed(tree + 6, uint16_t{65535}), HasSubstr("a B-tree takes 1048560 bytes"));
    EXPECT_THAT(changed(tree + 32, ~uint64_t{0}), HasSubstr("a symbol table takes"));
    EXPECT_THAT(changed(tree + 4, uint8_t{1}), HasSubstr("no B-tree of a group"));
  }
}

TEST_F(Hdf5Hostile, AddressesThatLie) {
  EXPECT_THAT(changed(kRootEntry + 8, ~uint64_t{0}), HasSubstr("an object's header takes"));
  EXPECT_THAT(changed(kRootEntry + 8, ~uint64_t{0} - 8), HasSubstr("an object's header takes"));
  EXPECT_THAT(changed(kRootEntry + 8, uint64_t{0}), HasSubstr("object header of version"));
  const size_t heap = place("HEAP");
  EXPECT_THAT(changed(heap + 8, ~uint64_t{0}), HasSubstr("a heap's text takes"));
  EXPECT_THAT(changed(heap + 24, ~uint64_t{0}), HasSubstr("a heap's text takes"));
  EXPECT_THAT(changed(heap, 'x'), HasSubstr("no local heap"));
  const size_t table = place("SNOD");
  EXPECT_THAT(changed(table + 8, ~uint64_t{0}), HasSubstr("a name at 18446744073709551615 of"));
  EXPECT_THAT(changed(table + 6, uint16_t{65535}), HasSubstr("a symbol table takes"));
  EXPECT_THAT(changed(table + 8 + 16, uint32_t{2}), HasSubstr("is a symbolic link"));
  EXPECT_THAT(changed(place(std::string_view("b\0", 2)), '\xff'), HasSubstr("is no name"));
  EXPECT_THAT(changed(place(std::string_view("b\0", 2)), '\0'), HasSubstr("is no name"));
  EXPECT_THAT(changed(kernel_layout(), uint64_t{good_.size()}), HasSubstr("takes 24 bytes at"));
  EXPECT_THAT(changed(kernel_layout(), ~uint64_t{0}), HasSubstr("'a/b/kernel:0' has no data"));
  EXPECT_THAT(changed(layout(6), number(kernel_layout())), HasSubstr("overlap"));
}

TEST_F(Hdf5Hostile, DataSetsThatLie) {
  EXPECT_THAT(changed(kernel_shape(), uint64_t{1} << 40),
              HasSubstr("'a/b/kernel:0' needs 13194139533312 bytes for its shape and has 24"));
  EXPECT_THAT(changed(kernel_shape(), ~uint64_t{0}), HasSubstr("overflows"));
  EXPECT_THAT(changed(kernel_layout() + 8, uint64_t{23}), HasSubstr("has 23"));
  EXPECT_THAT(changed(kernel_layout() - 1, uint8_t{2}), HasSubstr("is stored in chunks"));
  EXPECT_THAT(changed(kernel_layout() - 2, uint8_t{2}), HasSubstr("a layout of version 2"));
  const size_t type = place(std::string_view("\x11\x20\x1f\x00\x04\x00\x00\x00", 8));
  EXPECT_THAT(changed(type, uint8_t{0x13}), HasSubstr("a datatype (class 3, 4 bytes)"));
  EXPECT_THAT(changed(type + 1, uint8_t{0x21}), HasSubstr("no plain number"));  // big-endian
  EXPECT_THAT(changed(type + 4, uint32_t{8}), HasSubstr("no plain number"));
  EXPECT_THAT(changed(type - 8, uint16_t{0x0b}), HasSubstr("is compressed or filtered"));
  EXPECT_THAT(changed(type - 8, uint16_t{0x07}), HasSubstr("lies in other files"));
  EXPECT_THAT(changed(type - 8, uint16_t{0x06}), HasSubstr("a group of the newer form"));
  EXPECT_THAT(changed(type - 8, uint16_t{0x00}), HasSubstr("has no datatype"));
  EXPECT_THAT(changed(type - 4, uint8_t{2}), HasSubstr("stands elsewhere"));
  EXPECT_THAT(changed(type - 6, uint16_t{65528}), HasSubstr("truncated"));
}

// A header of which every piece says that it goes on.
TEST_F(Hdf5Hostile, HeadersWithoutEnd) {
  const uint64_t header = number(kRootEntry + 8);
  const auto again = as_bytes_text(uint16_t{0x10}) + as_bytes_text(uint16_t{16}) +
                     std::string(4, '\0') + as_bytes_text(header + 16) +
                     as_bytes_text(uint64_t{24});
  std::string bytes = with(good_, header + 2, uint16_t{65535});
  bytes.replace(header + 16, again.size(), again);
  EXPECT_THAT(message(bytes), HasSubstr("is in more than 256 pieces"));
}

TEST_F(Hdf5Hostile, OtherSuperblocksAreNamed) {
  EXPECT_THAT(changed(0, 'x'), HasSubstr("it is no HDF5 file"));
  EXPECT_THAT(changed(8, uint8_t{2}), HasSubstr("superblock has version 2"));
  EXPECT_THAT(changed(13, uint8_t{4}), HasSubstr("addresses of 4 bytes"));
  EXPECT_THAT(changed(24, uint64_t{512}), HasSubstr("the base address is 512"));
  EXPECT_THAT(changed(40, uint64_t{good_.size() + 1}), HasSubstr("the file was cut"));
}

TEST_F(Hdf5Hostile, CutOrChangedAnywhereItIsRefusedOrRead) {
  const ReadBytes read = [](std::span<const std::byte> bytes) { parse_hdf5(bytes, "file"); };
  expect_cuts_refused(good_, read);
  expect_changes_survived(good_, read);
  expect_cuts_refused(published("bert/f32_keras/tf_model.h5"), read);
}

}  // namespace
}  // namespace strata::models
