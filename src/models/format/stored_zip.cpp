#include "models/format/stored_zip.h"

#include <algorithm>
#include <set>

#include "core/bytes.h"
#include "models/format/file_refuser.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_limits.h"

namespace strata::models {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocatorSignature = 0x07064b50;
constexpr size_t kEndBytes = 22;
constexpr size_t kLocatorBytes = 20;
constexpr size_t kCentralBytes = 46;
constexpr size_t kMaxComment = 65535;
constexpr uint16_t kEncrypted = 1;
constexpr uint16_t kSizesFollow = 8;  // the local header has none
constexpr uint16_t kZip64Field = 1;
constexpr uint32_t kIn64 = 0xffffffff;  // the number stands in the zip64 field
constexpr std::string_view kRepack =
    "save the model again with torch.save, or take its safetensors";

struct Directory {
  uint64_t entries = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
};

// Of the central directory.
struct Entry {
  std::string_view name;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint64_t packed = 0;
  uint64_t size = 0;
  uint64_t header_at = 0;
};

struct Place {
  uint64_t begin = 0;  // of the local header
  uint64_t end = 0;    // of the data
  std::string_view name;
};

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, std::string_view file) : bytes_(bytes), refuse_(file) {}

  std::vector<StoredMember> read() {
    const Directory directory = find_directory();
    ByteReader reader(part(directory.offset, directory.size, "the directory"));
    std::vector<StoredMember> members;
    std::vector<Place> places;
    std::set<std::string_view> names;
    for (uint64_t i = 0; i < directory.entries; ++i) {
      const Entry entry = read_entry(reader);
      if (!names.insert(entry.name).second) {
        refuse_("zip: member '{}' stands there twice", printable(entry.name));
      }
      check_kind(entry);
      const uint64_t data_at = read_local(entry, directory.offset);
      places.push_back({entry.header_at, data_at + entry.size, entry.name});
      members.push_back({entry.name, part(data_at, entry.size, "a member")});
    }
    if (reader.remaining() != 0) {
      refuse_("zip: {} bytes of the directory belong to no entry", reader.remaining());
    }
    check_overlap(places);
    return members;
  }

 private:
  std::span<const std::byte> part(uint64_t offset, uint64_t size, std::string_view what) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) {
      refuse_("zip: {} takes {} bytes at {}, the file has {}", what, size, offset, bytes_.size());
    }
    return bytes_.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  }

  Directory find_directory() const {
    if (bytes_.size() < kEndBytes) refuse_("zip: {} bytes are no archive", bytes_.size());
    const size_t last = bytes_.size() - kEndBytes;
    const size_t first = last - std::min(last, kMaxComment);
    for (size_t at = last + 1; at-- > first;) {
      ByteReader reader(bytes_, at);
      if (reader.read<uint32_t>("signature") != kEndSignature) continue;
      const auto disk = reader.read<uint16_t>("disk");
      const auto first_disk = reader.read<uint16_t>("first disk");
      const auto here = reader.read<uint16_t>("entries here");
      Directory out;
      out.entries = reader.read<uint16_t>("entries");
      out.size = reader.read<uint32_t>("directory's size");
      out.offset = reader.read<uint32_t>("directory's offset");
      if (reader.read<uint16_t>("comment's size") != reader.remaining()) continue;
      if (disk != 0 || first_disk != 0 || here != out.entries) refuse_disks();
      const bool in_64 = out.entries == 0xffff || out.size == kIn64 || out.offset == kIn64;
      return checked(in_64 ? find_directory64(at) : out, at);
    }
    refuse_("zip: no directory at the end of the file; it was cut");
  }

  Directory find_directory64(size_t end_at) const {
    if (end_at < kLocatorBytes) refuse_("zip64: no locator before the end of the directory");
    ByteReader locator(bytes_, end_at - kLocatorBytes);
    if (locator.read<uint32_t>("signature") != kLocatorSignature) {
      refuse_("zip64: no locator before the end of the directory");
    }
    const auto disk = locator.read<uint32_t>("disk");
    const auto at = locator.read<uint64_t>("offset");
    if (disk != 0 || locator.read<uint32_t>("disks") > 1) refuse_disks();
    ByteReader reader(part(at, 56, "the zip64 end"));
    if (reader.read<uint32_t>("signature") != kEnd64Signature) {
      refuse_("zip64: the locator points to offset {}, where no end is", at);
    }
    reader.take(8 + 4, "size and versions");
    const auto this_disk = reader.read<uint32_t>("disk");
    const auto first_disk = reader.read<uint32_t>("first disk");
    const auto here = reader.read<uint64_t>("entries here");
    Directory out;
    out.entries = reader.read<uint64_t>("entries");
    out.size = reader.read<uint64_t>("directory's size");
    out.offset = reader.read<uint64_t>("directory's offset");
    if (this_disk != 0 || first_disk != 0 || here != out.entries) refuse_disks();
    return out;
  }

  // `limit`: where the end of the directory begins.
  Directory checked(const Directory& directory, uint64_t limit) const {
    if (directory.offset > limit || directory.size > limit - directory.offset) {
      refuse_("zip: the directory takes {} bytes at {}, beyond its end at {}", directory.size,
              directory.offset, limit);
    }
    if (directory.size > kMaxZipDirectory || directory.entries > kMaxZipMembers) {
      refuse_("zip: {} members and {} bytes of directory, the limits are {} and {}",
              directory.entries, directory.size, kMaxZipMembers, kMaxZipDirectory);
    }
    if (directory.entries > directory.size / kCentralBytes) {
      refuse_("zip: {} members do not fit into a directory of {} bytes", directory.entries,
              directory.size);
    }
    return directory;
  }

  Entry read_entry(ByteReader& reader) const {
    if (reader.read<uint32_t>("signature") != kCentralSignature) {
      refuse_("zip: an entry of the directory has another signature");
    }
    Entry entry;
    reader.take(4, "versions");
    entry.flags = reader.read<uint16_t>("flags");
    entry.method = reader.read<uint16_t>("method");
    reader.take(4 + 4, "time and CRC");
    entry.packed = reader.read<uint32_t>("packed size");
    entry.size = reader.read<uint32_t>("size");
    const auto name_size = reader.read<uint16_t>("name's size");
    const auto extra_size = reader.read<uint16_t>("extra's size");
    const auto comment_size = reader.read<uint16_t>("comment's size");
    if (reader.read<uint16_t>("disk") != 0) refuse_disks();
    reader.take(2 + 4, "attributes");
    entry.header_at = reader.read<uint32_t>("offset");
    entry.name = reader.take_text(name_size, "name");
    read_extra(reader.take(extra_size, "extra field"), entry);
    reader.take(comment_size, "comment");
    return entry;
  }

  // zip64's field holds, in this order, those of the numbers that did not fit.
  void read_extra(std::span<const std::byte> extra, Entry& entry) const {
    bool is_there = false;
    for (ByteReader fields(extra); fields.remaining() > 0;) {
      const auto id = fields.read<uint16_t>("extra field");
      ByteReader field(fields.take(fields.read<uint16_t>("extra field"), "extra field"));
      if (id != kZip64Field) continue;
      if (is_there) refuse_("zip64: member '{}' has two fields", printable(entry.name));
      is_there = true;
      for (uint64_t* number : {&entry.size, &entry.packed, &entry.header_at}) {
        if (*number == kIn64) *number = field.read<uint64_t>("zip64 field");
      }
    }
  }

  void check_kind(const Entry& entry) const {
    if ((entry.flags & kEncrypted) != 0) {
      refuse_.unsupported(kRepack, "zip: member '{}' is encrypted", printable(entry.name));
    }
    if (entry.method != 0) {
      refuse_.unsupported(kRepack, "zip: member '{}' is compressed (method {})",
                          printable(entry.name), entry.method);
    }
    if (entry.packed != entry.size) {
      refuse_("zip: member '{}' is stored with two sizes, {} and {}", printable(entry.name),
              entry.packed, entry.size);
    }
  }

  // The member's own header must say the same. Where its data begins only it knows.
  uint64_t read_local(const Entry& entry, uint64_t limit) const {
    ByteReader reader(part(entry.header_at,
                           bytes_.size() - std::min<uint64_t>(bytes_.size(), entry.header_at),
                           "a member's header"));
    if (reader.read<uint32_t>("signature") != kLocalSignature) {
      refuse_("zip: member '{}' has no header at {}", printable(entry.name), entry.header_at);
    }
    reader.take(2, "version");
    const auto flags = reader.read<uint16_t>("flags");
    const auto method = reader.read<uint16_t>("method");
    reader.take(4 + 4, "time and CRC");
    const auto packed = reader.read<uint32_t>("packed size");
    const auto size = reader.read<uint32_t>("size");
    const auto name_size = reader.read<uint16_t>("name's size");
    const auto extra_size = reader.read<uint16_t>("extra's size");
    const auto name = reader.take_text(name_size, "name");
    reader.take(extra_size, "extra field");
    const bool follow = (flags & kSizesFollow) != 0;
    const auto agrees = [&](uint32_t local) {
      return local == entry.size || local == kIn64 || (follow && local == 0);
    };
    if (name != entry.name || method != entry.method || (flags & kEncrypted) != 0 ||
        !agrees(packed) || !agrees(size)) {
      refuse_("zip: the directory and the header of member '{}' differ", printable(entry.name));
    }
    const uint64_t data_at = entry.header_at + reader.offset();
    if (data_at > limit || entry.size > limit - data_at) {
      refuse_("zip: member '{}' takes {} bytes at {}, beyond the directory at {}",
              printable(entry.name), entry.size, data_at, limit);
    }
    return data_at;
  }

  void check_overlap(std::vector<Place>& places) const {
    std::ranges::sort(places, {}, &Place::begin);
    for (size_t i = 1; i < places.size(); ++i) {
      if (places[i].begin >= places[i - 1].end) continue;
      refuse_("zip: members '{}' and '{}' overlap", printable(places[i - 1].name),
              printable(places[i].name));
    }
  }

  [[noreturn]] void refuse_disks() const {
    refuse_.unsupported(kRepack, "zip: the archive spans several disks");
  }

  std::span<const std::byte> bytes_;
  FileRefuser refuse_;
};

}  // namespace

bool is_zip(std::span<const std::byte> bytes) {
  return bytes.size() >= 4 && ByteReader(bytes).read<uint32_t>("signature") == kLocalSignature;
}

std::vector<StoredMember> read_stored_zip(std::span<const std::byte> bytes, std::string_view file) {
  return naming_file(file, [&] { return Reader(bytes, file).read(); });
}

}  // namespace strata::models
