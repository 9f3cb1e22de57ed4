#include "models/format/hdf5_object.h"

#include <algorithm>
#include <array>

#include "core/bytes.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_limits.h"

namespace strata::models {
namespace {

constexpr uint16_t kDataspace = 0x01;
constexpr uint16_t kLinkInfo = 0x02;
constexpr uint16_t kDatatype = 0x03;
constexpr uint16_t kLink = 0x06;
constexpr uint16_t kExternal = 0x07;
constexpr uint16_t kLayout = 0x08;
constexpr uint16_t kFilters = 0x0b;
constexpr uint16_t kContinuation = 0x10;
constexpr uint16_t kSymbolTable = 0x11;
constexpr uint8_t kShared = 2;  // a flag of messages
constexpr size_t kHeaderBytes = 16;
constexpr std::string_view kHint =
    "save the weights again with h5py's libver='earliest' and without compression, or take the "
    "model's safetensors";

// Where sign, exponent and mantissa of IEEE's numbers, and bfloat16, lie.
struct FloatForm {
  SafeType type;
  uint8_t size, exponent_at, exponent_bits, mantissa_bits;
  uint32_t bias;
};
constexpr std::array kFloats{
    FloatForm{SafeType::f16, 2, 10, 5, 10, 15},
    FloatForm{SafeType::bf16, 2, 7, 8, 7, 127},
    FloatForm{SafeType::f32, 4, 23, 8, 23, 127},
    FloatForm{SafeType::f64, 8, 52, 11, 52, 1023},
};
struct IntegerForm {
  SafeType type;
  uint32_t size;
  bool is_signed;
};
constexpr std::array kIntegers{
    IntegerForm{SafeType::u8, 1, false},  IntegerForm{SafeType::i8, 1, true},
    IntegerForm{SafeType::u16, 2, false}, IntegerForm{SafeType::i16, 2, true},
    IntegerForm{SafeType::u32, 4, false}, IntegerForm{SafeType::i32, 4, true},
    IntegerForm{SafeType::u64, 8, false}, IntegerForm{SafeType::i64, 8, true},
};

std::optional<SafeType> float_type(uint32_t flags, uint32_t size, ByteReader& reader) {
  const auto offset = reader.read<uint16_t>("datatype");
  const auto precision = reader.read<uint16_t>("datatype");
  const auto exponent_at = reader.read<uint8_t>("datatype");
  const auto exponent_bits = reader.read<uint8_t>("datatype");
  const auto mantissa_at = reader.read<uint8_t>("datatype");
  const auto mantissa_bits = reader.read<uint8_t>("datatype");
  const auto bias = reader.read<uint32_t>("datatype");
  const bool little = (flags & 0x41) == 0;
  const uint32_t sign_at = flags >> 8 & 0xff;
  for (const FloatForm& form : kFloats) {
    const bool same = size == form.size && precision == 8 * size && sign_at == 8 * size - 1 &&
                      exponent_at == form.exponent_at && exponent_bits == form.exponent_bits &&
                      mantissa_bits == form.mantissa_bits && bias == form.bias;
    if (same && little && offset == 0 && mantissa_at == 0) return form.type;
  }
  return std::nullopt;
}

std::optional<SafeType> integer_type(uint32_t flags, uint32_t size, ByteReader& reader) {
  const auto offset = reader.read<uint16_t>("datatype");
  const auto precision = reader.read<uint16_t>("datatype");
  const bool is_signed = (flags & 8) != 0;
  const bool little = (flags & 1) == 0;
  for (const IntegerForm& form : kIntegers) {
    if (size == form.size && is_signed == form.is_signed && little && offset == 0 &&
        precision == 8 * size) {
      return form.type;
    }
  }
  return std::nullopt;
}

}  // namespace

std::span<const std::byte> hdf5_bytes(std::span<const std::byte> file, uint64_t address,
                                      uint64_t size, std::string_view what,
                                      const FileRefuser& refuse) {
  if (address > file.size() || size > file.size() - address) {
    refuse("{} takes {} bytes at {}, the file has {}", what, size, address, file.size());
  }
  return file.subspan(static_cast<size_t>(address), static_cast<size_t>(size));
}

Hdf5Object::Hdf5Object(std::span<const std::byte> file, uint64_t address, std::string_view path,
                       const FileRefuser& refuse)
    : file_(file), path_(path), refuse_(refuse) {
  ByteReader reader(hdf5_bytes(file, address, kHeaderBytes, "an object's header", refuse));
  if (const auto version = reader.read<uint8_t>("version"); version != 1) {
    if (version == 'O') refuse.unsupported(kHint, "'{}' has an object header of version 2", path);
    refuse("'{}' has an object header of version {}", path, version);
  }
  reader.take(1, "reserved");
  auto n_left = reader.read<uint16_t>("number of messages");
  reader.take(4, "references");
  const auto size = reader.read<uint32_t>("header's size");
  blocks_.push_back(hdf5_bytes(file, address + kHeaderBytes, size, "an object's header", refuse));
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (i == kMaxHdf5Blocks) {
      refuse("the header of '{}' is in more than {} pieces", path, kMaxHdf5Blocks);
    }
    read_block(blocks_[i], n_left);
  }
  if (n_left != 0) refuse("the header of '{}' lacks {} messages", path, n_left);
}

void Hdf5Object::read_block(std::span<const std::byte> block, uint16_t& n_left) {
  ByteReader reader(block);
  while (n_left > 0 && reader.remaining() >= 8) {
    --n_left;
    Hdf5Message message;
    message.kind = reader.read<uint16_t>("message");
    const auto size = reader.read<uint16_t>("message's size");
    message.is_shared = (reader.read<uint8_t>("flags") & kShared) != 0;
    reader.take(3, "reserved");
    message.bytes = reader.take(size, "a message");
    if (message.kind == kContinuation) {
      ByteReader place(message.bytes);
      const auto address = place.read<uint64_t>("continuation");
      const auto length = place.read<uint64_t>("continuation");
      blocks_.push_back(hdf5_bytes(file_, address, length, "a header's continuation", refuse_));
    }
    messages_.push_back(message);
  }
}

const Hdf5Message* Hdf5Object::find(uint16_t kind) const {
  const auto found = std::ranges::find(messages_, kind, &Hdf5Message::kind);
  return found == messages_.end() ? nullptr : &*found;
}

const Hdf5Message& Hdf5Object::need(uint16_t kind, std::string_view what) const {
  const Hdf5Message* message = find(kind);
  if (message == nullptr) refuse_("'{}' has no {}", path_, what);
  if (message->is_shared) {
    refuse_.unsupported(kHint, "the {} of '{}' stands elsewhere", what, path_);
  }
  return *message;
}

std::optional<Hdf5Group> Hdf5Object::group() const {
  if (find(kLink) != nullptr || find(kLinkInfo) != nullptr) {
    refuse_.unsupported(kHint, "'{}' is a group of the newer form", path_);
  }
  if (find(kSymbolTable) == nullptr) return std::nullopt;
  ByteReader reader(need(kSymbolTable, "symbol table").bytes);
  Hdf5Group group;
  group.tree = reader.read<uint64_t>("symbol table");
  group.heap = reader.read<uint64_t>("symbol table");
  return group;
}

SafeTensor Hdf5Object::tensor() const {
  if (find(kFilters) != nullptr) {
    refuse_.unsupported(kHint, "'{}' is compressed or filtered", path_);
  }
  if (find(kExternal) != nullptr) refuse_.unsupported(kHint, "'{}' lies in other files", path_);
  SafeTensor tensor;
  tensor.name = path_;
  tensor.type = type();
  tensor.shape = shape();
  uint64_t size = safe_type_bytes(tensor.type);
  for (const uint64_t n : tensor.shape) size = checked_mul(size, n, "shape");
  tensor.bytes = data(size);
  return tensor;
}

std::vector<uint64_t> Hdf5Object::shape() const {
  ByteReader reader(need(kDataspace, "dataspace").bytes);
  const auto version = reader.read<uint8_t>("dataspace");
  const auto rank = reader.read<uint8_t>("dataspace");
  reader.take(1, "dataspace");  // whether it may grow
  if (version == 1) {
    reader.take(5, "dataspace");
  } else if (version == 2) {
    if (reader.read<uint8_t>("dataspace") == 2) refuse_("'{}' has no elements", path_);
  } else {
    refuse_("'{}' has a dataspace of version {}", path_, version);
  }
  if (rank > kMaxHfDimensions) {
    refuse_("'{}' has {} dimensions, the limit is {}", path_, rank, kMaxHfDimensions);
  }
  std::vector<uint64_t> shape;
  for (uint8_t i = 0; i < rank; ++i) shape.push_back(reader.read<uint64_t>("dimension"));
  return shape;
}

SafeType Hdf5Object::type() const {
  ByteReader reader(need(kDatatype, "datatype").bytes);
  const auto head = reader.read<uint32_t>("datatype");  // class, version, three bytes of flags
  const uint32_t kind = head & 0xf;
  const auto size = reader.read<uint32_t>("datatype");
  std::optional<SafeType> type;
  if (kind == 0) type = integer_type(head >> 8, size, reader);
  if (kind == 1) type = float_type(head >> 8, size, reader);
  if (type) return *type;
  refuse_.unsupported(kHint, "'{}' has a datatype (class {}, {} bytes) that is no plain number",
                      path_, kind, size);
}

std::span<const std::byte> Hdf5Object::data(uint64_t size) const {
  ByteReader reader(need(kLayout, "layout").bytes);
  const auto version = reader.read<uint8_t>("layout");
  if (version != 3 && version != 4) {
    refuse_.unsupported(kHint, "'{}' has a layout of version {}", path_, version);
  }
  const auto kind = reader.read<uint8_t>("layout");
  std::span<const std::byte> bytes;
  if (kind == 0) {  // in the message
    bytes = reader.take(reader.read<uint16_t>("layout"), "data");
  } else if (kind == 1) {
    const auto address = reader.read<uint64_t>("layout");
    const auto length = reader.read<uint64_t>("layout");
    if (address == ~uint64_t{0}) refuse_("'{}' has no data", path_);
    bytes = hdf5_bytes(file_, address, length, path_, refuse_);
  } else {
    refuse_.unsupported(kHint, "'{}' is stored in chunks", path_);
  }
  if (bytes.size() != size) {
    refuse_("'{}' needs {} bytes for its shape and has {}", path_, size, bytes.size());
  }
  return bytes;
}

}  // namespace strata::models
