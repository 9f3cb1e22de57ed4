// Memory for weights, activations and cache pages: 64-byte aligned, zeroed, huge pages where large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace strata::tensor {

class Buffer {
 public:
  Buffer() = default;
  // Error{resource_exhausted} with the size when the system has no memory.
  explicit Buffer(size_t size_bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
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
};

}  // namespace strata::tensor
