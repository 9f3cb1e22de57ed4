// Memory for weights, activations and cache pages: 64-byte aligned, zeroed, huge pages where large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace strata::tensor {

class Buffer {
 public:
  Buffer() = default;
  // Error{resource_exhausted} with the size when the system has no memory.
  explicit Buffer(size_t size_bytes);
  // A part of memory that `owner` keeps.
  Buffer(std::shared_ptr<const void> owner, std::byte* data, size_t size_bytes)
      : data_(data), size_(size_bytes), owner_(std::move(owner)) {}
  ~Buffer();
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(owner_, other.owner_);
  }

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  template <class T>
  T* as(size_t offset_bytes = 0) const {
    return reinterpret_cast<T*>(data_ + offset_bytes);
  }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<const void> owner_{};  // none: the memory is its own
};

}  // namespace strata::tensor
