#include "tensor/arena.h"

#include "core/error.h"

namespace strata::tensor {
namespace {
constexpr size_t kLine = 64;
constexpr size_t kLarge = size_t{4} << 20;   // has huge pages of its own
constexpr size_t kBlock = size_t{32} << 20;  // what is not taken of it is not resident
}  // namespace

Arena::Arena(std::shared_ptr<const void> owner, std::span<const std::byte> content)
    : owner_(std::move(owner)), left_(content), filled_(true) {}

Buffer Arena::take(size_t size_bytes) {
  const size_t size = (size_bytes + kLine - 1) / kLine * kLine;
  if (size == 0) return {};
  if (!filled_ && size >= kLarge) {
    Buffer own(size);
    parts_.emplace_back(own.data(), size);
    return own;
  }
  if (left_.size() < size) {
    if (filled_) {
      throw Error(Code::data_loss,
                  fmt::format("{} bytes of weights are wanted, {} are left", size, left_.size()));
    }
    auto block = std::make_shared<const Buffer>(kBlock);
    left_ = {block->data(), block->size()};
    owner_ = std::move(block);
  }
  parts_.push_back(left_.first(size));
  left_ = left_.subspan(size);
  return Buffer(owner_, const_cast<std::byte*>(parts_.back().data()), size);
}

void Arena::check_end() const {
  if (!filled_ || left_.empty()) return;
  throw Error(Code::data_loss, fmt::format("{} bytes of weights too many", left_.size()));
}

}  // namespace strata::tensor
