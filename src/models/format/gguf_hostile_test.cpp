// Broken files, each refused with its own clear error. The list follows the bugs that other readers
// of this format have had.
#include <functional>
#include <string>

#include <gmock/gmock.h>

#include "core/error.h"
#include "models/format/gguf.h"
#include "models/format/gguf_builder.h"
#include "models/testing/formula_model.h"

namespace strata::models {
namespace {

using testing::HasSubstr;
using Bytes = std::vector<std::byte>;

constexpr uint64_t kHuge = uint64_t{1} << 63;

// The message of the error that parsing ends with; "" when it ends well.
std::string parse_error(const Bytes& bytes) {
  // An exact copy on the heap, so that the address sanitizer sees a read beyond the end.
  const Bytes exact(bytes.begin(), bytes.end());
  try {
    parse_gguf(exact);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

struct Broken {
  std::string name;
  std::function<void(GgufBuilder&)> breaks;
  std::string message;
};

void append_u32(Bytes& bytes, uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
}
void append_u64(Bytes& bytes, uint64_t value) {
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
}
Bytes u64_bytes(uint64_t value) {
  Bytes bytes;
  append_u64(bytes, value);
  return bytes;
}
Bytes array_bytes(uint32_t element, uint64_t count, size_t payload) {
  Bytes bytes;
  append_u32(bytes, element);
  append_u64(bytes, count);
  bytes.resize(bytes.size() + payload);
  return bytes;
}

GgufBuilder::Tensor& first(GgufBuilder& b) {
  return b.tensors.front();
}

const std::vector<Broken>& header_cases() {
  static const std::vector<Broken> cases{
      {"no magic", [](auto& b) { b.magic = "XXXX"; }, "not a GGUF file: it begins with 'XXXX'"},
      {"magic of the other byte order", [](auto& b) { b.magic = "FUGG"; }, "big-endian"},
      {"GGML from before", [](auto& b) { b.magic = "tjgg"; }, "GGML format"},
      {"pickle", [](auto& b) { b.magic = "PK\x03\x04"; }, "pickle"},
      {"web page", [](auto& b) { b.magic = "<!DO"; }, "web page"},
      {"LFS pointer", [](auto& b) { b.magic = "version https://git-lfs"; }, "Git LFS"},
      {"version 0", [](auto& b) { b.version = 0; }, "version 0"},
      {"version 1", [](auto& b) { b.version = 1; }, "GGUF version 1"},
      {"version 4", [](auto& b) { b.version = 4; }, "GGUF version 4"},
      {"version 3, other byte order", [](auto& b) { b.version = 0x03000000; }, "big-endian"},
      {"2^63 values", [](auto& b) { b.n_values = kHuge; }, "9223372036854775808 metadata values"},
      {"values beyond the file", [](auto& b) { b.n_values = 60000; }, "60000 metadata values"},
      {"one value too many", [](auto& b) { b.n_values = b.values.size() + 1; }, "the limit is 63"},
      {"2^63 tensors", [](auto& b) { b.n_tensors = kHuge; }, "9223372036854775808 tensors"},
      {"2^64-1 tensors", [](auto& b) { b.n_tensors = ~0ull; }, "18446744073709551615 tensors"},
      {"tensors beyond the file", [](auto& b) { b.n_tensors = 100000; }, "100000 tensors do not"},
  };
  return cases;
}

const std::vector<Broken>& value_cases() {
  static const std::vector<Broken> cases{
      {"empty key", [](auto& b) { b.values[0].key = ""; }, "empty metadata key"},
      {"key of 2^63 bytes", [](auto& b) { b.values[0].key_length = kHuge; }, "the limit is 65535"},
      {"key longer than the file",
       [](auto& b) { b.tensors.clear(), b.values.back().key_length = 60000; },
       "truncated: metadata key"},
      {"key with a zero byte", [](auto& b) { b.values[0].key = std::string("a\0b", 3); },
       "not printable"},
      {"key of invalid UTF-8", [](auto& b) { b.values[0].key = "a\xC0\xAF"; }, "not printable"},
      {"key twice", [](auto& b) { b.values.push_back(b.values[0]); },
       "metadata key 'general.architecture' stands in the file twice"},
      {"value type 13", [](auto& b) { b.values[0].type = 13; }, "value type 13"},
      {"value type -1", [](auto& b) { b.values[0].type = ~0u; }, "value type 4294967295"},
      {"string of 2^63 bytes", [](auto& b) { b.set_raw("s", MetaType::string, u64_bytes(kHuge)); },
       "string of key 's'"},
      {"string longer than the file",
       [](auto& b) { b.set_raw("s", MetaType::string, u64_bytes(1u << 30)); },
       "claims 1073741824 bytes"},
      {"array of 2^63 bytes",
       [](auto& b) { b.set_raw("a", MetaType::array, array_bytes(0, kHuge, 0)); },
       "array 'a' claims 9223372036854775808"},
      {"array whose size wraps to 0",
       [](auto& b) { b.set_raw("a", MetaType::array, array_bytes(4, uint64_t{1} << 62, 0)); },
       "array 'a' claims 4611686018427387904"},
      {"array of 2^61 strings",
       [](auto& b) { b.set_raw("a", MetaType::array, array_bytes(8, uint64_t{1} << 61, 0)); },
       "elements of type string"},
      {"array of arrays",
       [](auto& b) { b.set_raw("a", MetaType::array, array_bytes(9, uint64_t{1} << 62, 64)); },
       "array of arrays"},
      {"array of type 200",
       [](auto& b) { b.set_raw("a", MetaType::array, array_bytes(200, 1, 8)); }, "value type 200"},
      {"string in an array beyond the file",
       [](auto& b) {
         Bytes bytes = array_bytes(8, 1, 0);
         append_u64(bytes, kHuge + 7);
         b.set_raw("a", MetaType::array, std::move(bytes));
       },
       "string of key 'a'"},
      {"boolean 2", [](auto& b) { b.set_raw("f", MetaType::boolean, Bytes{std::byte{2}}); },
       "boolean of key 'f' is 2"},
      {"array of booleans with a 7",
       [](auto& b) {
         Bytes bytes = array_bytes(7, 2, 2);
         bytes.back() = std::byte{7};
         b.set_raw("f", MetaType::array, std::move(bytes));
       },
       "boolean of key 'f' is 7"},
  };
  return cases;
}

const std::vector<Broken>& alignment_cases() {
  static const std::vector<Broken> cases{
      {"alignment 0", [](auto& b) { b.set_u32("general.alignment", 0); }, "general.alignment 0"},
      {"alignment 13", [](auto& b) { b.set_u32("general.alignment", 13); }, "alignment 13"},
      {"alignment 1", [](auto& b) { b.set_u32("general.alignment", 1); }, "alignment 1 "},
      {"alignment 2^31", [](auto& b) { b.set_u32("general.alignment", 1u << 31); }, "2147483648"},
      {"alignment of type i32", [](auto& b) { b.set_i32("general.alignment", 32); },
       "general.alignment has type i32"},
      {"alignment of type string", [](auto& b) { b.set_text("general.alignment", "32"); },
       "general.alignment has type string"},
      {"alignment larger than the layout's",
       [](auto& b) { b.set_u32("general.alignment", 1u << 16); }, "tensor 'token_embd.weight'"},
  };
  return cases;
}

const std::vector<Broken>& tensor_cases() {
  static const std::vector<Broken> cases{
      {"empty name", [](auto& b) { first(b).name = ""; }, "empty tensor name"},
      {"name of 64 bytes", [](auto& b) { first(b).name = std::string(64, 'n'); },
       "has 64 bytes, the limit is 63"},
      {"name of 2^63 bytes", [](auto& b) { first(b).name_length = kHuge; }, "the limit is 63"},
      {"name twice", [](auto& b) { b.tensors[1].name = first(b).name; },
       "tensor 'token_embd.weight' stands in the file twice"},
      {"5 dimensions", [](auto& b) { first(b).shape = {1, 1, 1, 1, 1}; }, "has 5 dimensions"},
      {"2^32-1 dimensions", [](auto& b) { first(b).n_dims = ~0u; }, "4294967295 dimensions"},
      {"dimension 0", [](auto& b) { first(b).shape = {0, 32}; }, "dimension 0 of tensor"},
      {"product of dimensions overflows", [](auto& b) { first(b).shape = {kHuge, 4}; },
       "overflows"},
      {"product of dimensions wraps to 0",
       [](auto& b) { first(b).shape = {uint64_t{1} << 32, uint64_t{1} << 32}; }, "overflows"},
      {"bytes of the weights overflow", [](auto& b) { first(b).shape = {kHuge}; }, "overflows"},
      {"two tensors whose sizes wrap together",
       [](auto& b) {
         for (auto& tensor : b.tensors) {
           tensor.type = 24;  // I8
           tensor.shape = {0x7FFFFFFFFFFFFFC0};
         }
       },
       "truncated?"},
      {"dimension 1 is 2^42 + 1", [](auto& b) { first(b).shape = {32, (uint64_t{1} << 42) + 1}; },
       "truncated?"},
      {"unknown type", [](auto& b) { first(b).type = 500; }, "unknown tensor type 500"},
      {"negative type", [](auto& b) { first(b).type = ~0u; }, "unknown tensor type 4294967295"},
      {"removed type", [](auto& b) { first(b).type = 4; }, "removed from the GGUF format"},
      {"type of ik_llama.cpp", [](auto& b) { first(b).type = 139; }, "ik_llama.cpp"},
      {"row that is no multiple of the block",
       [](auto& b) { first(b).type = 2, first(b).shape = {33, 32}; }, "Q4_0's block of 32"},
      {"whole blocks, but not in a row",
       [](auto& b) { first(b).type = 12, first(b).shape = {32, 8}; }, "Q4_K's block of 256"},
      {"offset not aligned", [](auto& b) { first(b).offset = 4; }, "not aligned to 32"},
      {"offset beyond the file", [](auto& b) { first(b).offset = 1u << 30; }, "truncated?"},
      {"offset + size overflows", [](auto& b) { first(b).offset = ~uint64_t{31}; }, "overflows"},
      {"last tensor one row short", [](auto& b) { b.tensors.back().shape[1] += 1; }, "truncated?"},
      {"two tensors at one place", [](auto& b) { b.tensors[1].offset = 0; }, "overlap at offset 0"},
      {"one tensor inside another", [](auto& b) { b.tensors[1].offset = 64; },
       "overlap at offset 64"},
  };
  return cases;
}

void expect_refused(const std::vector<Broken>& cases) {
  for (const Broken& entry : cases) {
    GgufBuilder builder = tiny_llama();
    entry.breaks(builder);
    EXPECT_THAT(parse_error(builder.build()), HasSubstr(entry.message)) << entry.name;
  }
}

TEST(GgufHostile, Header) {
  expect_refused(header_cases());
}
TEST(GgufHostile, Values) {
  expect_refused(value_cases());
}
TEST(GgufHostile, Alignment) {
  expect_refused(alignment_cases());
}
TEST(GgufHostile, Tensors) {
  expect_refused(tensor_cases());
}

TEST(GgufHostile, TheTinyModelItselfIsRight) {
  EXPECT_EQ(parse_error(tiny_llama().build()), "");
}

// Every prefix of a right file is refused, except where only padding at the end is missing.
TEST(GgufHostile, TruncatedAnywhere) {
  GgufBuilder builder = tiny_llama();
  builder.tensors.resize(3);
  const Bytes whole = builder.build();
  const size_t padding = (32 - builder.tensors.back().data.size() % 32) % 32;
  for (size_t size = 0; size + padding < whole.size(); ++size) {
    const std::string error = parse_error({whole.begin(), whole.begin() + static_cast<int>(size)});
    ASSERT_NE(error, "") << size << " of " << whole.size() << " bytes";
  }
}

// Any one byte changed: refused or read, never a crash (the sanitizers watch).
TEST(GgufHostile, AnyByteChanged) {
  GgufBuilder builder = tiny_llama();
  builder.tensors.resize(2);
  const Bytes whole = builder.build();
  const size_t metadata = whole.size() - 48 * 32 * 4;
  for (size_t at = 0; at < metadata; ++at) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      Bytes changed = whole;
      changed[at] ^= static_cast<std::byte>(flip);
      parse_error(changed);
    }
  }
}

// 43 bytes with an array of 2^63 elements once made a reader loop without end.
TEST(GgufHostile, SmallFileWithHugeArray) {
  Bytes bytes;
  for (const char c : std::string("GGUF")) bytes.push_back(static_cast<std::byte>(c));
  append_u32(bytes, 3);
  append_u64(bytes, 0);
  append_u64(bytes, 1);
  append_u64(bytes, 3);
  for (const char c : std::string("abc")) bytes.push_back(static_cast<std::byte>(c));
  append_u32(bytes, 9);
  append_u32(bytes, 8);
  append_u64(bytes, kHuge);
  EXPECT_THAT(parse_error(bytes), HasSubstr("array 'abc' claims 9223372036854775808"));
}

}  // namespace
}  // namespace strata::models
