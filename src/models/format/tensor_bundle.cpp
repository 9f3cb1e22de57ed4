#include "models/format/tensor_bundle.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/bytes.h"
#include "models/format/file_refuser.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_limits.h"
#include "models/format/sorted_table.h"

namespace strata::models {
namespace {

constexpr uint64_t kText = 7;  // DT_STRING
struct BundleType {
  uint64_t id;  // tensorflow/core/framework/types.proto
  SafeType type;
};
constexpr std::array kTypes{
    BundleType{1, SafeType::f32},   BundleType{2, SafeType::f64},
    BundleType{3, SafeType::i32},   BundleType{4, SafeType::u8},
    BundleType{5, SafeType::i16},   BundleType{6, SafeType::i8},
    BundleType{9, SafeType::i64},   BundleType{10, SafeType::boolean},
    BundleType{14, SafeType::bf16}, BundleType{17, SafeType::u16},
    BundleType{19, SafeType::f16},  BundleType{22, SafeType::u32},
    BundleType{23, SafeType::u64},
};

// One field of a message; `number` of varints and fixed ones, `bytes` of those with a length.
struct Field {
  uint64_t id = 0;
  uint64_t number = 0;
  std::span<const std::byte> bytes;
};

// Protocol buffers' wire format, one field.
Field read_field(ByteReader& reader) {
  const uint64_t tag = read_varint(reader, "a field's tag");
  Field field{tag >> 3, 0, {}};
  switch (tag & 7) {
    case 0:
      field.number = read_varint(reader, "a field");
      return field;
    case 1:
      field.number = reader.read<uint64_t>("a field");
      return field;
    case 2:
      field.bytes = reader.take(read_varint(reader, "a field's length"), "a field");
      return field;
    case 5:
      field.number = reader.read<uint32_t>("a field");
      return field;
    default:
      throw Error(Code::invalid_argument, fmt::format("a field of the wire type {}", tag & 7));
  }
}

struct Header {
  uint64_t n_shards = 0;
  uint64_t endianness = 0;
};

// BundleEntryProto.
struct Entry {
  std::string name;
  uint64_t type = 0;
  std::vector<uint64_t> shape;
  bool is_unknown_rank = false;
  uint64_t shard = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t crc = 0;
  bool is_sliced = false;
};

// TensorShapeProto: a message for each dimension, with its size.
void read_shape(std::span<const std::byte> bytes, Entry& entry) {
  for (ByteReader reader(bytes); reader.remaining() > 0;) {
    const Field field = read_field(reader);
    if (field.id == 3) entry.is_unknown_rank = field.number != 0;
    if (field.id != 2) continue;
    uint64_t size = 0;  // is left away where it is 0
    for (ByteReader dim(field.bytes); dim.remaining() > 0;) {
      const Field part = read_field(dim);
      if (part.id == 1) size = part.number;
    }
    entry.shape.push_back(size);
    if (entry.shape.size() > kMaxHfDimensions) {
      throw Error(Code::invalid_argument, fmt::format("tensor '{}' has more than {} dimensions",
                                                      printable(entry.name), kMaxHfDimensions));
    }
  }
}

Entry read_entry(std::string_view name, std::span<const std::byte> value) {
  Entry entry;
  entry.name = name;
  for (ByteReader reader(value); reader.remaining() > 0;) {
    const Field field = read_field(reader);
    if (field.id == 1) entry.type = field.number;
    if (field.id == 2) read_shape(field.bytes, entry);
    if (field.id == 3) entry.shard = field.number;
    if (field.id == 4) entry.offset = field.number;
    if (field.id == 5) entry.size = field.number;
    if (field.id == 6) entry.crc = field.number;
    if (field.id == 7) entry.is_sliced = true;
  }
  return entry;
}

class Bundle {
 public:
  Bundle(const BundleFile& index, std::span<const BundleFile> data)
      : index_(index), data_(data), refuse_(index.name) {}

  std::vector<SafeTensor> read() {
    read_sorted_table(
        index_.bytes, index_.name, [this](std::string_view key, std::span<const std::byte> value) {
          if (key.empty()) return read_header(value);
          if (!header_) refuse_("the table has no header");
          n_name_bytes_ += key.size();
          if (entries_.size() == kMaxBundleTensors || n_name_bytes_ > kMaxBundleNames) {
            refuse_("more than {} variables or {} bytes of names", kMaxBundleTensors,
                    kMaxBundleNames);
          }
          entries_.push_back(read_entry(key, value));
        });
    if (!header_) refuse_("the table has no header");
    check_shards();
    check_overlap();
    std::vector<SafeTensor> tensors;
    for (const Entry& entry : entries_) {
      if (entry.type != kText) tensors.push_back(tensor(entry));
    }
    return tensors;
  }

 private:
  void read_header(std::span<const std::byte> value) {
    Header header;
    for (ByteReader reader(value); reader.remaining() > 0;) {
      const Field field = read_field(reader);
      if (field.id == 1) header.n_shards = field.number;
      if (field.id == 2) header.endianness = field.number;
    }
    if (header.endianness != 0) {
      refuse_.unsupported("save the checkpoint on a little-endian machine",
                          "the tensors are in big-endian byte order");
    }
    header_ = header;
  }

  // Their names say which they are and how many there are.
  void check_shards() const {
    if (header_->n_shards != data_.size()) {
      refuse_("the table is of {} data files, {} are there", header_->n_shards, data_.size());
    }
    for (size_t i = 0; i < data_.size(); ++i) {
      const std::string ending = fmt::format(".data-{:05}-of-{:05}", i, data_.size());
      if (!data_[i].name.ends_with(ending)) {
        refuse_("a file NAME{} is missing; there is {}", ending, printable(data_[i].name));
      }
    }
  }

  std::span<const std::byte> bytes_of(const Entry& entry) const {
    if (entry.shard >= data_.size()) {
      refuse_("tensor '{}' is in data file {} of {}", printable(entry.name), entry.shard,
              data_.size());
    }
    const auto all = data_[static_cast<size_t>(entry.shard)].bytes;
    if (entry.offset > all.size() || entry.size > all.size() - entry.offset) {
      refuse_("tensor '{}' takes {} bytes at {} of {} in {}", printable(entry.name), entry.size,
              entry.offset, all.size(), data_[static_cast<size_t>(entry.shard)].name);
    }
    return all.subspan(static_cast<size_t>(entry.offset), static_cast<size_t>(entry.size));
  }

  void check_overlap() const {
    std::vector<const Entry*> sorted;
    for (const Entry& entry : entries_) {
      if (entry.size > 0) sorted.push_back(&entry);
    }
    std::ranges::sort(sorted, [](const Entry* a, const Entry* b) {
      return std::pair(a->shard, a->offset) < std::pair(b->shard, b->offset);
    });
    for (size_t i = 1; i < sorted.size(); ++i) {
      const Entry& before = *sorted[i - 1];
      bytes_of(before);  // so that the sum fits
      if (before.shard != sorted[i]->shard || before.offset + before.size <= sorted[i]->offset) {
        continue;
      }
      refuse_("tensors '{}' and '{}' overlap", printable(before.name), printable(sorted[i]->name));
    }
  }

  SafeTensor tensor(const Entry& entry) const {
    const auto known = std::ranges::find(kTypes, entry.type, &BundleType::id);
    if (known == kTypes.end()) {
      refuse_.unsupported("choose another form of this model", "tensor '{}' is of the type {}",
                          printable(entry.name), entry.type);
    }
    if (entry.is_sliced || entry.is_unknown_rank) {
      refuse_.unsupported("save the checkpoint with whole variables",
                          "variable '{}' is stored in slices, or without a shape",
                          printable(entry.name));
    }
    SafeTensor out{entry.name, known->type, entry.shape, bytes_of(entry)};
    uint64_t size = safe_type_bytes(out.type);
    for (const uint64_t n : entry.shape) size = checked_mul(size, n, "shape");
    if (size != entry.size) {
      refuse_("tensor '{}' needs {} bytes for its shape and has {}", printable(entry.name), size,
              entry.size);
    }
    if (masked_crc32c(out.bytes) != entry.crc) {
      refuse_("the checksum of tensor '{}' in {} is wrong", printable(entry.name),
              data_[static_cast<size_t>(entry.shard)].name);
    }
    return out;
  }

  const BundleFile& index_;
  std::span<const BundleFile> data_;
  FileRefuser refuse_;
  std::optional<Header> header_;
  std::vector<Entry> entries_;
  size_t n_name_bytes_ = 0;
};

}  // namespace

std::vector<SafeTensor> parse_tensor_bundle(const BundleFile& index,
                                            std::span<const BundleFile> data) {
  return naming_file(index.name, [&] { return Bundle(index, data).read(); });
}

}  // namespace strata::models
