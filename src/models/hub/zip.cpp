#include "models/hub/zip.h"

#include <algorithm>
#include <vector>

#include <zlib.h>

#include "core/bytes.h"

namespace strata::models {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr size_t kEndBytes = 22;
constexpr size_t kLocalBytes = 30;
constexpr size_t kMaxComment = 65535;
constexpr uint64_t kMaxDirectoryBytes = 64u << 20;  // 65,535 entries of a thousand bytes
constexpr size_t kChunk = 1u << 18;

[[noreturn]] void broken(std::string_view why) {
  throw Error(Code::data_loss, fmt::format("zip archive: {}", why), "fetch the archive again");
}

std::vector<std::byte> read_at(File& file, uint64_t offset, size_t size) {
  std::vector<std::byte> out(size);
  file.seek(offset);
  size_t have = 0;
  while (have < size) {
    const size_t got = file.read(std::span(out).subspan(have));
    if (got == 0) broken("truncated");
    have += got;
  }
  return out;
}

struct Directory {
  uint16_t entries = 0;
  uint32_t size = 0;
  uint32_t offset = 0;
};

Directory find_directory(File& file) {
  const uint64_t total = file.size();
  if (total < kEndBytes) broken("too short");
  const size_t tail_size = static_cast<size_t>(std::min<uint64_t>(total, kEndBytes + kMaxComment));
  const auto tail = read_at(file, total - tail_size, tail_size);
  for (size_t at = tail_size - kEndBytes + 1; at-- > 0;) {
    ByteReader reader(tail, at);
    if (reader.read<uint32_t>("signature") != kEndSignature) continue;
    const auto disk = reader.read<uint16_t>("disk");
    const auto first_disk = reader.read<uint16_t>("first disk");
    const auto here = reader.read<uint16_t>("entries here");
    Directory out;
    out.entries = reader.read<uint16_t>("entries");
    out.size = reader.read<uint32_t>("directory size");
    out.offset = reader.read<uint32_t>("directory offset");
    if (reader.read<uint16_t>("comment size") != reader.remaining()) continue;
    if (out.entries == 0xffff || out.size == 0xffffffff || out.offset == 0xffffffff) {
      throw Error(Code::unimplemented, "zip archive: zip64 is not supported");
    }
    if (disk != 0 || first_disk != 0 || here != out.entries) broken("spans several disks");
    const uint64_t end_at = total - tail_size + at;
    if (uint64_t{out.offset} + out.size > end_at) broken("the directory reaches beyond its end");
    if (out.size > kMaxDirectoryBytes) broken("the directory is too large");
    return out;
  }
  broken("no directory at its end");
}

struct Central {
  ZipMember member;
  uint16_t flags = 0;
  uint32_t local_offset = 0;
};

Central read_central(ByteReader& reader) {
  if (reader.read<uint32_t>("signature") != kCentralSignature) broken("a damaged directory entry");
  Central out;
  reader.take(4, "versions");
  out.flags = reader.read<uint16_t>("flags");
  out.member.method = reader.read<uint16_t>("method");
  reader.take(4, "time");
  out.member.crc = reader.read<uint32_t>("crc");
  out.member.packed = reader.read<uint32_t>("packed size");
  out.member.size = reader.read<uint32_t>("size");
  const auto name_size = reader.read<uint16_t>("name size");
  const auto extra_size = reader.read<uint16_t>("extra size");
  const auto comment_size = reader.read<uint16_t>("comment size");
  reader.take(8, "disk and attributes");
  out.local_offset = reader.read<uint32_t>("offset");
  out.member.name = reader.take_text(name_size, "name");
  reader.take(uint64_t{extra_size} + comment_size, "extra field");
  return out;
}

// The local header repeats the entry; only what leads to the data is taken from it.
uint64_t data_offset(File& file, const Central& entry, uint64_t limit) {
  if (uint64_t{entry.local_offset} + kLocalBytes > limit) broken("an offset beyond its end");
  const auto header = read_at(file, entry.local_offset, kLocalBytes);
  ByteReader reader(header);
  if (reader.read<uint32_t>("signature") != kLocalSignature) broken("a damaged local header");
  reader.take(22, "repeated fields");
  const auto name_size = reader.read<uint16_t>("name size");
  const auto extra_size = reader.read<uint16_t>("extra size");
  const uint64_t name_at = uint64_t{entry.local_offset} + kLocalBytes;
  const uint64_t start = name_at + name_size + extra_size;
  if (start + entry.member.packed > limit) broken("a member reaches into the directory");
  const auto name = read_at(file, name_at, name_size);
  if (std::string_view(reinterpret_cast<const char*>(name.data()), name.size()) !=
      entry.member.name) {
    broken("a member has two different names");
  }
  return start;
}

void check_kind(const Central& entry) {
  if ((entry.flags & 1) != 0) {
    throw Error(Code::unimplemented, "zip archive: the member is encrypted");
  }
  if (entry.member.method != 0 && entry.member.method != 8) {
    throw Error(Code::unimplemented,
                fmt::format("zip archive: compression method {}", entry.member.method));
  }
  if (entry.member.packed == 0xffffffff || entry.member.size == 0xffffffff) {
    throw Error(Code::unimplemented, "zip archive: zip64 is not supported");
  }
  if (entry.member.method == 0 && entry.member.packed != entry.member.size) {
    broken("a stored member with two sizes");
  }
}

// Counts and checks what comes out of a member.
class Checked {
 public:
  Checked(const ZipMember& member, const ByteSink& sink) : member_(member), sink_(sink) {}
  void take(std::span<const std::byte> bytes) {
    if (bytes.size() > member_.size - done_) broken("a member is longer than it says");
    crc_ = crc32_z(crc_, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    done_ += bytes.size();
    sink_(bytes);
  }
  void finish() const {
    if (done_ != member_.size) broken("a member is shorter than it says");
    if (crc_ != member_.crc) broken("a member's CRC-32 is wrong");
  }

 private:
  const ZipMember& member_;
  const ByteSink& sink_;
  uint64_t done_ = 0;
  uLong crc_ = 0;
};

class Inflater {
 public:
  Inflater() {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) {
      throw Error(Code::resource_exhausted, "no memory to decompress");
    }
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  // True when the stream is complete.
  bool feed(std::span<std::byte> in, Checked& out) {
    stream_.next_in = reinterpret_cast<Bytef*>(in.data());
    stream_.avail_in = static_cast<uInt>(in.size());
    for (;;) {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        broken("a member's compressed data is damaged");
      }
      out.take(std::span<const std::byte>(buffer_).first(buffer_.size() - stream_.avail_out));
      if (result == Z_STREAM_END) return true;
      if (stream_.avail_out > 0) return false;  // wants more input
    }
  }

 private:
  z_stream stream_{};
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kChunk);
};

}  // namespace

ZipMember find_in_zip(File& archive, std::string_view name, std::string_view archive_name) {
  try {
    const Directory directory = find_directory(archive);
    const auto bytes = read_at(archive, directory.offset, directory.size);
    ByteReader reader(bytes);
    std::optional<Central> found;
    for (uint16_t i = 0; i < directory.entries; ++i) {
      Central entry = read_central(reader);
      if (entry.member.name != name) continue;
      if (found) broken("the member stands in it twice");
      found = std::move(entry);
    }
    if (!found) {
      throw Error(Code::not_found, fmt::format("there is no '{}' in {}", name, archive_name));
    }
    check_kind(*found);
    found->member.data_offset = data_offset(archive, *found, directory.offset);
    return found->member;
  } catch (const Error& error) {
    if (error.code() != Code::invalid_argument) throw;
    broken(error.message());  // the reader's word for "truncated"
  }
}

void read_zip_member(File& archive, const ZipMember& member, const ByteSink& sink) {
  Checked out(member, sink);
  Inflater inflater;
  std::vector<std::byte> buffer(kChunk);
  archive.seek(member.data_offset);
  uint64_t left = member.packed;
  bool complete = false;
  while (left > 0) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(left, buffer.size()));
    const size_t got = archive.read(std::span(buffer).first(wanted));
    if (got == 0) broken("truncated");
    left -= got;
    if (member.method == 0) {
      out.take(std::span<const std::byte>(buffer).first(got));
    } else if (!complete) {
      complete = inflater.feed(std::span(buffer).first(got), out);
    }
  }
  if (member.method == 8 && !complete) broken("a member's compressed data ends early");
  out.finish();
}

}  // namespace strata::models
