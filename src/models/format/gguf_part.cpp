#include "models/format/gguf_part.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "core/bytes.h"
#include "core/utf8.h"
#include "models/format/gguf_limits.h"

namespace strata::models {
namespace {

constexpr std::array<std::string_view, 13> kTypeNames{
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
constexpr std::array<uint8_t, 13> kTypeBytes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(Code::invalid_argument,
              "malformed GGUF: " + fmt::format(format, std::forward<Args>(args)...),
              "the file is damaged or was not written by a GGUF tool: fetch it again");
}

// Says what a file that is no GGUF probably is.
[[noreturn]] void refuse_magic(std::span<const std::byte> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<size_t>(bytes.size(), 64));
  const auto fail = [](std::string_view what, std::string_view hint) {
    throw Error(Code::invalid_argument, fmt::format("not a GGUF file: {}", what),
                std::string(hint));
  };
  if (head.starts_with("FUGG")) {
    throw Error(Code::unimplemented, "a GGUF file in big-endian byte order",
                "get the little-endian file of this model");
  }
  for (const std::string_view old : {"ggml", "lmgg", "ggjt", "tjgg", "ggmf", "fmgg", "ggla"}) {
    if (head.starts_with(old)) {
      fail("it is in a GGML format from before August 2023",
           "get a GGUF of this model, or convert it again from its source");
    }
  }
  if (head.starts_with("version https://git-lfs")) {
    fail("it is a Git LFS pointer, which stands for the real file", "fetch it with git lfs pull");
  }
  if (head.starts_with("PK\x03\x04") || head.starts_with("\x80\x02")) {
    fail("it is a pickle or zip file, probably a PyTorch checkpoint",
         "put config.json and the tokenizer beside it and name the folder");
  }
  if (head.starts_with("<!") || head.starts_with("<html") || head.starts_with("<HTML")) {
    fail("it is a web page", "the download got an error page instead of the model: fetch it again");
  }
  if (head.size() > 8 && head[8] == '{') {
    fail("it is probably a safetensors file", "convert the model to GGUF");
  }
  fail(fmt::format("it begins with '{}'", printable(head.substr(0, 4))),
       "a GGUF file begins with the letters GGUF");
  std::abort();
}

class Parser {
 public:
  explicit Parser(std::span<const std::byte> bytes) : bytes_(bytes), reader_(bytes) {}

  GgufPart parse() {
    read_header();
    for (uint64_t i = 0; i < n_values_; ++i) part_.values.push_back(read_value());
    check_unique_keys();
    alignment_ = read_alignment();
    offsets_.reserve(static_cast<size_t>(n_tensors_));
    part_.tensors.reserve(static_cast<size_t>(n_tensors_));
    for (uint64_t i = 0; i < n_tensors_; ++i) part_.tensors.push_back(read_tensor());
    check_unique_names();
    place_data();
    return std::move(part_);
  }

 private:
  void read_header() {
    if (bytes_.size() < 4 || reader_.take_text(4, "magic") != "GGUF") refuse_magic(bytes_);
    part_.version = reader_.read<uint32_t>("version");
    check_version(part_.version);
    n_tensors_ = reader_.read<uint64_t>("tensor count");
    n_values_ = reader_.read<uint64_t>("metadata count");
    // The least that one entry takes: key or name of one byte and its fixed fields.
    check_count(n_values_, kMaxGgufValues, 8 + 1 + 4 + 1, "metadata values");
    check_count(n_tensors_, kMaxGgufTensors, 8 + 1 + 4 + 4 + 8, "tensors");
    part_.values.reserve(static_cast<size_t>(n_values_));
  }

  static void check_version(uint32_t version) {
    if (version == 2 || version == 3) return;
    if (version == 1) {
      throw Error(Code::unimplemented, "GGUF version 1, which was in use in August 2023 only",
                  "get a newer file of this model, or convert it again from its source");
    }
    if (version != 0 && (version & 0xFFFF) == 0) {
      throw Error(Code::unimplemented, "a GGUF file in big-endian byte order",
                  "get the little-endian file of this model");
    }
    if (version == 0) refuse("version 0");
    throw Error(Code::unimplemented,
                fmt::format("GGUF version {}; this program reads 2 and 3", version),
                "a newer strata may read it");
  }

  void check_count(uint64_t count, uint64_t limit, uint64_t entry_bytes, std::string_view what) {
    if (count > limit) refuse("{} {}, the limit is {}", count, what, limit);
    if (count > reader_.remaining() / entry_bytes) {
      refuse("{} {} do not fit in the {} bytes that are left", count, what, reader_.remaining());
    }
  }

  std::string_view read_name(uint64_t limit, std::string_view what) {
    const size_t at = reader_.offset();
    const auto length = reader_.read<uint64_t>(what);
    if (length == 0) refuse("empty {} at offset {}", what, at);
    if (length > limit) {
      refuse("{} at offset {} has {} bytes, the limit is {}", what, at, length, limit);
    }
    const auto name = reader_.take_text(length, what);
    const bool plain = std::ranges::none_of(name, [](char c) { return c >= 0 && c < 0x20; });
    if (!plain || !is_valid_utf8(name)) {
      refuse("{} at offset {} is not printable text: '{}'", what, at, printable(name));
    }
    return name;
  }

  MetaType read_type(std::string_view key) {
    const size_t at = reader_.offset();
    const auto id = reader_.read<uint32_t>("value type");
    if (id >= kTypeNames.size()) {
      refuse("value type {} of key '{}' at offset {} is none of the format's", id, printable(key),
             at);
    }
    return static_cast<MetaType>(id);
  }

  MetaValue read_value() {
    MetaValue value;
    value.key = read_name(kMaxGgufKeyBytes, "metadata key");
    value.type = read_type(value.key);
    if (value.type == MetaType::array) {
      read_array(value);
    } else if (value.type == MetaType::string) {
      value.bytes = read_string(value.key);
    } else {
      value.bytes = reader_.take(meta_scalar_bytes(value.type), value.key);
      check_booleans(value, value.type);
    }
    return value;
  }

  std::span<const std::byte> read_string(std::string_view key) {
    const size_t at = reader_.offset();
    const auto length = reader_.read<uint64_t>(key);
    if (length > reader_.remaining()) {
      refuse("string of key '{}' at offset {} claims {} bytes, {} are left", printable(key), at,
             length, reader_.remaining());
    }
    return reader_.take(length, key);
  }

  void read_array(MetaValue& value) {
    value.element = read_type(value.key);
    value.count = reader_.read<uint64_t>(value.key);
    if (value.element == MetaType::array) {
      refuse("key '{}' is an array of arrays, which no model uses", printable(value.key));
    }
    const bool strings = value.element == MetaType::string;
    const uint64_t element_bytes = strings ? 8 : meta_scalar_bytes(value.element);
    if (value.count > reader_.remaining() / element_bytes) {
      refuse("array '{}' claims {} elements of type {}, {} bytes are left", printable(value.key),
             value.count, meta_type_name(static_cast<uint32_t>(value.element)),
             reader_.remaining());
    }
    if (!strings) {
      value.bytes = reader_.take(value.count * element_bytes, value.key);
      check_booleans(value, value.element);
      return;
    }
    const size_t begin = reader_.offset();
    for (uint64_t i = 0; i < value.count; ++i) read_string(value.key);
    value.bytes = bytes_.subspan(begin, reader_.offset() - begin);
  }

  static void check_booleans(const MetaValue& value, MetaType type) {
    if (type != MetaType::boolean) return;
    for (const std::byte byte : value.bytes) {
      if (byte > std::byte{1}) {
        refuse("boolean of key '{}' is {}, not 0 or 1", printable(value.key),
               std::to_integer<int>(byte));
      }
    }
  }

  void check_unique_keys() const {
    std::vector<std::string_view> keys;
    for (const auto& value : part_.values) keys.push_back(value.key);
    check_unique(std::move(keys), "metadata key");
  }

  void check_unique_names() const {
    std::vector<std::string_view> names;
    for (const auto& tensor : part_.tensors) names.push_back(tensor.name);
    check_unique(std::move(names), "tensor");
  }

  static void check_unique(std::vector<std::string_view> names, std::string_view what) {
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    if (twice != names.end()) refuse("{} '{}' stands in the file twice", what, printable(*twice));
  }

  uint64_t read_alignment() const {
    for (const auto& value : part_.values) {
      if (value.key != "general.alignment") continue;
      if (value.type != MetaType::u32) {
        refuse("general.alignment has type {}, not u32",
               meta_type_name(static_cast<uint32_t>(value.type)));
      }
      uint32_t alignment = 0;
      std::memcpy(&alignment, value.bytes.data(), sizeof(alignment));
      if (!std::has_single_bit(alignment) || alignment < kMinGgufAlignment ||
          alignment > kMaxGgufAlignment) {
        refuse("general.alignment {} is not a power of two from {} to {}", alignment,
               kMinGgufAlignment, kMaxGgufAlignment);
      }
      return alignment;
    }
    return 32;
  }

  TensorInfo read_tensor() {
    TensorInfo tensor;
    tensor.name = read_name(kMaxGgufNameBytes, "tensor name");
    tensor.n_dims = reader_.read<uint32_t>("dimension count");
    if (tensor.n_dims > kMaxGgufDimensions) {
      refuse("tensor '{}' has {} dimensions, the limit is {}", tensor.name, tensor.n_dims,
             kMaxGgufDimensions);
    }
    uint64_t n_weights = 1;
    for (uint32_t i = 0; i < tensor.n_dims; ++i) {
      tensor.shape[i] = reader_.read<uint64_t>("dimension");
      if (tensor.shape[i] == 0) refuse("dimension {} of tensor '{}' is 0", i, tensor.name);
      n_weights = checked_mul(n_weights, tensor.shape[i], tensor.name);
    }
    const auto id = reader_.read<uint32_t>("tensor type");
    tensor.type = read_dtype(id, tensor.name);
    const auto& info = tensor::dtype_info(tensor.type);
    if (tensor.cols() % info.block_weights != 0) {
      refuse("rows of tensor '{}' have {} weights, not a multiple of {}'s block of {}", tensor.name,
             tensor.cols(), info.name, info.block_weights);
    }
    offsets_.push_back({reader_.read<uint64_t>("tensor offset"),
                        tensor::bytes_of(tensor.type, n_weights), part_.tensors.size()});
    return tensor;
  }

  static tensor::DType read_dtype(uint32_t id, std::string_view name) {
    try {
      return tensor::dtype_info(id).type;
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("tensor '{}': {}", name, error.message()),
                  error.hint());
    }
  }

  void place_data() {
    // A file of metadata only may end without the padding in front of the data.
    const uint64_t padded = (reader_.offset() + alignment_ - 1) / alignment_ * alignment_;
    const auto section = bytes_.subspan(static_cast<size_t>(std::min(padded, bytes_.size())));
    for (const auto& place : offsets_) {
      auto& tensor = part_.tensors[place.tensor];
      if (place.offset % alignment_ != 0) {
        refuse("tensor '{}' begins at offset {}, which is not aligned to {}", tensor.name,
               place.offset, alignment_);
      }
      const uint64_t end = checked_add(place.offset, place.bytes, tensor.name);
      if (end > section.size()) {
        refuse("tensor '{}' needs bytes {} to {} of the data, which has {}: truncated?",
               tensor.name, place.offset, end, section.size());
      }
      tensor.mapped =
          section.subspan(static_cast<size_t>(place.offset), static_cast<size_t>(place.bytes));
    }
    check_overlaps();
  }

  void check_overlaps() {
    std::ranges::sort(offsets_, {}, &Place::offset);
    for (size_t i = 1; i < offsets_.size(); ++i) {
      const Place& left = offsets_[i - 1];
      if (left.offset + left.bytes > offsets_[i].offset) {
        refuse("tensors '{}' and '{}' overlap at offset {}", part_.tensors[left.tensor].name,
               part_.tensors[offsets_[i].tensor].name, offsets_[i].offset);
      }
    }
  }

  struct Place {
    uint64_t offset;
    uint64_t bytes;
    size_t tensor;
  };

  std::span<const std::byte> bytes_;
  ByteReader reader_;
  GgufPart part_;
  uint64_t n_values_ = 0;
  uint64_t n_tensors_ = 0;
  uint64_t alignment_ = 32;
  std::vector<Place> offsets_;
};

}  // namespace

GgufPart parse_gguf_part(std::span<const std::byte> bytes) {
  return Parser(bytes).parse();
}

size_t meta_scalar_bytes(MetaType type) {
  return kTypeBytes[static_cast<size_t>(type)];
}

std::string meta_type_name(uint32_t type) {
  if (type < kTypeNames.size()) return std::string(kTypeNames[type]);
  return fmt::format("type {}", type);
}

std::string printable(std::string_view text) {
  std::string out = repair_utf8(text.substr(0, 80));
  for (char& c : out) {
    if ((c >= 0 && c < 0x20) || c == 0x7F) c = '?';
  }
  return out;
}

}  // namespace strata::models
