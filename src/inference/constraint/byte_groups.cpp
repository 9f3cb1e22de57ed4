#include "inference/constraint/byte_groups.h"

#include <algorithm>
#include <numeric>

#include "inference/constraint/limits.h"

namespace strata::inference {

void ByteGroups::set_classes(const std::array<uint8_t, 256>& classes, size_t n_classes) {
  class_of_ = classes;
  classes_.resize(n_classes);
  for (size_t byte = 0; byte < 256; ++byte) {
    Group& one = classes_[classes[byte]];
    one.byte = static_cast<uint8_t>(byte);
    one.of.add(one.byte);
  }
  std::vector<uint8_t> groups(n_classes);
  keep(groups, 1);
  std::iota(groups.begin(), groups.end(), uint8_t{0});
  keep(groups, n_classes);
}

int32_t ByteGroups::keep(std::span<const uint8_t> by_class, size_t n) {
  if (table_.size() > kMaxByteGroups) return kFinest;
  table_.insert(table_.end(), by_class.begin(), by_class.end());
  n_groups_.push_back(static_cast<uint16_t>(n));
  return static_cast<int32_t>(n_groups_.size()) - 1;
}

// By the set's bytes or the others, whichever are fewer: most sets have one.
int32_t ByteGroups::of(const ByteSet& set) {
  constexpr int kHalf = 128;
  std::array<uint8_t, 256> groups{};
  const ByteSet fewer = set.count() > kHalf ? ~set : set;
  fewer.each([&](uint8_t byte) { groups[class_of_[byte]] = 1; });
  const auto by_class = std::span(groups).first(classes_.size());
  if (by_class[0] == 1) {
    for (uint8_t& group : by_class) group ^= 1;
  }
  return std::ranges::find(by_class, 1) != by_class.end() ? keep(by_class, 2) : kOne;
}

int32_t ByteGroups::meet(int32_t a, int32_t b) {
  if (a == b || b == kOne) return a;
  if (a == kOne) return b;
  Met& met = met_[static_cast<size_t>(a * 31 + b) % met_.size()];
  if (met.a != a || met.b != b) met = {a, b, find_meet(a, b)};
  return met.both;
}

int32_t ByteGroups::find_meet(int32_t a, int32_t b) {
  constexpr size_t kMostPairs = 1024;  // to be looked at; else all are told apart
  constexpr uint8_t kNew = 255;
  const size_t n_b = n_groups(b);
  if (n_groups(a) * n_b > kMostPairs) return kFinest;
  std::array<uint8_t, kMostPairs> pairs;
  std::fill_n(pairs.begin(), n_groups(a) * n_b, kNew);
  std::array<uint8_t, 256> groups;
  const std::span<const uint8_t> of_a = by_class(a);
  const std::span<const uint8_t> of_b = by_class(b);
  size_t n = 0;
  for (size_t i = 0; i < classes_.size(); ++i) {
    uint8_t& both = pairs[of_a[i] * n_b + of_b[i]];
    if (both == kNew) both = static_cast<uint8_t>(n++);
    groups[i] = both;
  }
  if (n >= kNew) return kFinest;
  if (n == n_groups(a)) return a;
  return n == n_b ? b : keep(std::span(groups).first(classes_.size()), n);
}

std::vector<ByteGroups::Group> ByteGroups::groups(int32_t partition) const {
  std::vector<Group> found(n_groups(partition));
  const std::span<const uint8_t> of_class = by_class(partition);
  for (size_t i = 0; i < classes_.size(); ++i) {
    Group& group = found[of_class[i]];
    group.byte = classes_[i].byte;
    group.of = group.of | classes_[i].of;
  }
  return found;
}

void ByteGroups::representatives(int32_t partition, std::vector<uint8_t>& bytes) const {
  bytes.clear();
  const std::span<const uint8_t> of_class = by_class(partition);
  for (size_t i = 0; i < classes_.size(); ++i) {
    if (of_class[i] == bytes.size()) bytes.push_back(classes_[i].byte);
  }
}

}  // namespace strata::inference
