#include "tensor/buffer.h"

#include <sys/mman.h>

#include "core/error.h"

namespace strata::tensor {
namespace {
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;
}  // namespace

Buffer::Buffer(size_t size_bytes) {
  if (size_bytes == 0) return;
  if (size_bytes > SIZE_MAX - 2 * kHugePage) {
    throw Error(Code::resource_exhausted, fmt::format("{} bytes asked for", size_bytes));
  }
  const bool huge = size_bytes >= 2 * kHugePage;
  const size_t size = (size_bytes + kPage - 1) / kPage * kPage;
  // Room to align by hand: huge pages only form on their own boundaries.
  const size_t reserve = size + (huge ? kHugePage : 0);
  void* base = mmap(nullptr, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) {
    throw Error(Code::resource_exhausted, fmt::format("no memory for {} bytes", size_bytes),
                "close other programs or choose a smaller model or context");
  }
  const auto address = reinterpret_cast<uintptr_t>(base);
  const uintptr_t unit = huge ? kHugePage : kPage;
  const uintptr_t aligned = (address + unit - 1) / unit * unit;
  if (aligned != address) munmap(base, aligned - address);
  const size_t tail = address + reserve - (aligned + size);
  if (tail != 0) munmap(reinterpret_cast<void*>(aligned + size), tail);
  data_ = reinterpret_cast<std::byte*>(aligned);
  size_ = size;
  if (huge) madvise(data_, size_, MADV_HUGEPAGE);
}

Buffer::~Buffer() {
  if (data_ != nullptr && !owner_) munmap(data_, size_);
}

}  // namespace strata::tensor
