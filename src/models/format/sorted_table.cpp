#include "models/format/sorted_table.h"

#include <algorithm>
#include <string>

#include "core/crc32c.h"
#include "models/format/file_refuser.h"
#include "models/format/hf_limits.h"

namespace strata::models {
namespace {

constexpr uint64_t kMagic = 0xdb4775248b80fb57;
constexpr size_t kFooterBytes = 48;
constexpr size_t kTrailerBytes = 5;  // behind a block: how it is compressed, its checksum

struct Handle {
  uint64_t offset = 0;
  uint64_t size = 0;
};

Handle read_handle(ByteReader& reader) {
  Handle handle;
  handle.offset = read_varint(reader, "a block's offset");
  handle.size = read_varint(reader, "a block's size");
  return handle;
}

using Sink = std::function<void(std::string_view key, std::span<const std::byte> value)>;

class Table {
 public:
  Table(std::span<const std::byte> bytes, std::string_view file) : bytes_(bytes), refuse_(file) {}

  void read(const Sink& sink) {
    if (bytes_.size() < kFooterBytes) refuse_("{} bytes are no table", bytes_.size());
    ByteReader footer(bytes_.last(kFooterBytes));
    read_handle(footer);  // of the block about blocks, which is empty
    const Handle index = read_handle(footer);
    if (ByteReader(bytes_.last(8)).read<uint64_t>("magic") != kMagic) {
      refuse_("it does not end as a table does; it was cut, or is no TensorFlow checkpoint");
    }
    uint64_t end = 0;  // of the block before: they follow each other
    std::string last;
    read_block(index, [&](std::string_view, std::span<const std::byte> value) {
      ByteReader reader(value);
      const Handle handle = read_handle(reader);
      if (handle.offset < end) refuse_("the block at {} overlaps the one before", handle.offset);
      read_block(handle, [&](std::string_view key, std::span<const std::byte> entry) {
        const bool is_first = !any_;
        any_ = true;
        if (!is_first && key <= last) refuse_("keys are not in order");
        last = key;
        sink(key, entry);
      });
      end = checked_add(handle.offset, handle.size, "block");
    });
  }

 private:
  void read_block(const Handle& handle, const Sink& sink) const {
    const size_t limit = bytes_.size() - kFooterBytes;
    if (handle.offset > limit || limit - handle.offset < kTrailerBytes ||
        handle.size > limit - handle.offset - kTrailerBytes || handle.size < 4) {
      refuse_("a block takes {} bytes at {}, the file has {}", handle.size, handle.offset,
              bytes_.size());
    }
    const auto offset = static_cast<size_t>(handle.offset);
    const auto size = static_cast<size_t>(handle.size);
    ByteReader trailer(bytes_.subspan(offset + size, kTrailerBytes));
    const auto kind = trailer.read<uint8_t>("compression");
    if (trailer.read<uint32_t>("checksum") != masked_crc32c(bytes_.subspan(offset, size + 1))) {
      refuse_("the checksum of the block at {} is wrong", handle.offset);
    }
    if (kind != 0) {
      refuse_.unsupported("save the checkpoint again with TensorFlow, which does not compress it",
                          "the block at {} is compressed ({})", handle.offset,
                          kind == 1 ? "snappy" : std::to_string(kind));
    }
    entries(bytes_.subspan(offset, size), sink);
  }

  // Behind the entries stand places where a key is written whole (u32 each), and their number.
  void entries(std::span<const std::byte> block, const Sink& sink) const {
    const auto n_restarts = ByteReader(block.last(4)).read<uint32_t>("restarts");
    if (n_restarts > block.size() / 4 - 1) {
      refuse_("{} restarts do not fit into a block of {} bytes", n_restarts, block.size());
    }
    ByteReader reader(block.first(block.size() - 4 * (size_t{n_restarts} + 1)));
    std::string key;
    while (reader.remaining() > 0) {
      const uint64_t shared = read_varint(reader, "a key's beginning");
      const uint64_t own = read_varint(reader, "a key's length");
      const uint64_t value_size = read_varint(reader, "a value's length");
      if (shared > key.size() || own > kMaxBundleKey - shared) {
        refuse_("a key shares {} of {} bytes and has {} more, the limit is {}", shared, key.size(),
                own, kMaxBundleKey);
      }
      key.resize(static_cast<size_t>(shared));
      key += reader.take_text(own, "a key");
      sink(key, reader.take(value_size, "a value"));
    }
  }

  std::span<const std::byte> bytes_;
  FileRefuser refuse_;
  bool any_ = false;
};

}  // namespace

uint64_t read_varint(ByteReader& reader, std::string_view what) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = reader.read<uint8_t>(what);
    const uint64_t digits = byte & 0x7f;
    if (shift == 63 && digits > 1) break;
    value |= digits << shift;
    if (byte < 0x80) return value;
  }
  throw Error(Code::invalid_argument, fmt::format("{} has more than 64 bits", what));
}

uint32_t masked_crc32c(std::span<const std::byte> bytes) {
  const uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

void read_sorted_table(std::span<const std::byte> bytes, std::string_view file, const Sink& sink) {
  naming_file(file, [&] { Table(bytes, file).read(sink); });
}

}  // namespace strata::models
