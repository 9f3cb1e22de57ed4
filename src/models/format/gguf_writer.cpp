#include "models/format/gguf_writer.h"

#include <algorithm>
#include <array>
#include <system_error>

#include "core/bytes.h"
#include "core/check.h"
#include "core/progress.h"

namespace strata::models {
namespace {

uint64_t size_of(const GgufBuilder::Tensor& tensor) {
  uint64_t n_weights = 1;
  for (const uint64_t dimension : tensor.shape) {
    n_weights = checked_mul(n_weights, dimension, tensor.name);
  }
  const auto& info = tensor::dtype_info(tensor.type);
  if (tensor.shape.empty() || tensor.shape[0] % info.block_weights != 0) {
    throw Error(Code::invalid_argument,
                fmt::format("tensor '{}': rows of {} weights are no blocks of {}", tensor.name,
                            tensor.shape.empty() ? 0 : tensor.shape[0], info.name));
  }
  return tensor::bytes_of(info.type, n_weights);
}

uint64_t aligned(uint64_t size, uint64_t alignment) {
  return checked_add(size, alignment - 1, "file size") / alignment * alignment;
}

}  // namespace

GgufWriter::GgufWriter(std::filesystem::path path, GgufBuilder head)
    : path_(std::move(path)),
      temporary_(path_.parent_path() / (std::string(kTemporaryPrefix) + path_.filename().string())),
      alignment_(head.alignment) {
  uint64_t offset = 0;
  for (auto& tensor : head.tensors) {
    sizes_.push_back(size_of(tensor));
    tensor.offset = offset;
    offset = checked_add(offset, aligned(sizes_.back(), alignment_), "file size");
  }
  head_ = head.build();
  file_bytes_ = checked_add(head_.size(), offset, "file size");
}

GgufWriter::~GgufWriter() {
  if (!file_) return;
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void GgufWriter::begin() {
  made_.emplace(path_.parent_path());
  lock_ = FileLock::attempt(temporary_, FileLock::Kind::exclusive);
  if (!lock_) {
    throw Error(Code::unavailable, fmt::format("{} is being written now", path_.string()),
                "wait for the other process, or name another file");
  }
  file_ = File::open(temporary_, File::Mode::truncate);
  const uint64_t free = free_disk_bytes(temporary_);
  if (file_bytes_ > free) {
    throw Error(Code::resource_exhausted,
                fmt::format("{} needs {}, its disk has {} free", path_.string(),
                            format_bytes(file_bytes_), format_bytes(free)),
                "free some space, or name a file on another disk");
  }
  file_->write(head_);
  pad();
}

// Steps to the next tensor that has bytes, with the padding behind those that are full.
void GgufWriter::pad() {
  static constexpr std::array<std::byte, 4096> kZeros{};
  while (tensor_ < sizes_.size() && written_ == sizes_[tensor_]) {
    uint64_t missing = aligned(written_, alignment_) - written_;
    while (missing > 0) {
      const auto part = std::min<uint64_t>(missing, kZeros.size());
      file_->write(std::span(kZeros).first(part));
      missing -= part;
    }
    ++tensor_;
    written_ = 0;
  }
}

void GgufWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    CHECK(tensor_ < sizes_.size());
    const auto part = std::min<uint64_t>(bytes.size(), sizes_[tensor_] - written_);
    file_->write(bytes.first(part));
    bytes = bytes.subspan(part);
    written_ += part;
    pad();
  }
}

void GgufWriter::finish() {
  CHECK(file_ && tensor_ == sizes_.size());
  file_->sync();
  rename_durably(temporary_, path_);
  file_.reset();
  lock_.reset();
}

}  // namespace strata::models
