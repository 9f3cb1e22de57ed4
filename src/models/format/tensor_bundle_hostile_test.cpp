// TensorFlow checkpoints that are broken or lie.
#include <gmock/gmock.h>

#include "models/format/sorted_table.h"
#include "models/format/tensor_bundle.h"
#include "models/testing/published.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}
std::string field(uint64_t id, uint64_t value) {
  return varint(id << 3) + varint(value);
}
std::string field(uint64_t id, const std::string& bytes) {
  return varint(id << 3 | 2) + varint(bytes.size()) + bytes;
}

struct Key {
  std::string key;
  std::string value;
  uint64_t shared = 0;  // what it says to share with the key before
};

std::string block(const std::vector<Key>& keys) {
  std::string out;
  for (const Key& key : keys) {
    out += varint(key.shared) + varint(key.key.size()) + varint(key.value.size()) + key.key +
           key.value;
  }
  return out + as_bytes_text(uint32_t{0}) + as_bytes_text(uint32_t{1});
}

std::string with_trailer(std::string block, char kind = 0) {
  block.push_back(kind);
  return block + as_bytes_text(masked_crc32c(std::as_bytes(std::span(block))));
}

std::string handle(size_t offset, size_t size) {
  return varint(offset) + varint(size);
}

// `handles`: of the data blocks, as the index block has them.
std::string table(const std::string& blocks, const std::vector<std::string>& handles) {
  std::vector<Key> keys;
  for (const std::string& one : handles) keys.push_back({"k", one});
  const std::string index = block(keys);
  std::string footer = handle(0, 0) + handle(blocks.size(), index.size());
  footer.resize(40);
  return blocks + with_trailer(index) + footer + as_bytes_text(uint64_t{0xdb4775248b80fb57});
}

std::string table(const std::vector<Key>& keys) {
  const std::string one = block(keys);
  return table(with_trailer(one), {handle(0, one.size())});
}

struct EntryParts {
  uint64_t type = 1;
  std::vector<uint64_t> shape{2, 3};
  uint64_t shard = 0;
  uint64_t offset = 0;
  uint64_t size = 24;
  uint32_t crc = masked_crc32c(std::vector<std::byte>(24));
  std::string more = {};
};
std::string entry(const EntryParts& parts) {
  std::string shape;
  for (const uint64_t n : parts.shape) shape += field(2, field(1, n));
  return field(1, parts.type) + field(2, shape) + field(3, parts.shard) + field(4, parts.offset) +
         field(5, parts.size) + varint(6 << 3 | 5) + as_bytes_text(parts.crc) + parts.more;
}

std::string read(std::string_view index, size_t data_bytes = 24) {
  const std::vector<std::byte> data(data_bytes);
  const BundleFile file{"x.data-00000-of-00001", data};
  return message_of(index, [&](std::span<const std::byte> bytes) {
    parse_tensor_bundle({"file", bytes}, std::span(&file, 1));
  });
}
std::string refused(const std::vector<Key>& variables, const std::string& header = field(1, 1)) {
  std::vector<Key> keys{{"", header}};
  keys.insert(keys.end(), variables.begin(), variables.end());
  return read(table(keys));
}
std::string refused_entry(const EntryParts& parts) {
  return refused({{"w", entry(parts)}});
}

TEST(TensorBundleHostile, VariablesThatLie) {
  EXPECT_EQ(refused_entry(EntryParts{}), "");
  EXPECT_THAT(refused_entry({.offset = 1}), HasSubstr("'w' takes 24 bytes at 1 of 24"));
  EXPECT_THAT(refused_entry({.offset = ~uint64_t{0}}), HasSubstr("at 18446744073709551615"));
  EXPECT_THAT(refused_entry({.size = ~uint64_t{0}}), HasSubstr("takes 18446744073709551615 bytes"));
  EXPECT_THAT(refused_entry({.size = 20}),
              HasSubstr("'w' needs 24 bytes for its shape and has 20"));
  EXPECT_THAT(refused_entry({.shape = {3, 3}}), HasSubstr("needs 36 bytes"));
  EXPECT_THAT(refused_entry({.shape = {uint64_t{1} << 40, uint64_t{1} << 40}}),
              HasSubstr("overflows"));
  EXPECT_THAT(refused_entry({.shape = std::vector<uint64_t>(9, 1)}),
              HasSubstr("more than 8 dimensions"));
  EXPECT_THAT(refused_entry({.shard = 1}), HasSubstr("'w' is in data file 1 of 1"));
  EXPECT_THAT(refused_entry({.shard = ~uint64_t{0}}), HasSubstr("of 1"));
  EXPECT_THAT(refused_entry({.crc = 1}),
              HasSubstr("the checksum of tensor 'w' in x.data-00000-of-00001"));
  EXPECT_THAT(refused_entry({.type = 8}), HasSubstr("'w' is of the type 8"));
  EXPECT_THAT(refused_entry({.type = 77}), HasSubstr("'w' is of the type 77"));
  EXPECT_THAT(refused_entry({.more = field(7, "x")}), HasSubstr("'w' is stored in slices"));
  EXPECT_THAT(refused_entry({.more = field(2, field(3, 1))}), HasSubstr("without a shape"));
  EXPECT_THAT(refused_entry({.more = "\x0f"}), HasSubstr("wire type 7"));
  EXPECT_THAT(refused_entry({.more = field(9, "abc").substr(0, 3)}), HasSubstr("truncated"));
  EXPECT_THAT(refused_entry({.more = std::string(11, '\xff')}), HasSubstr("more than 64 bits"));
  EXPECT_THAT(refused({{"v", entry({})}, {"w", entry({})}}), HasSubstr("'v' and 'w' overlap"));
  EXPECT_EQ(refused({{"graph", entry({.type = 7, .size = 9})}}), "");  // text is left out
  EXPECT_THAT(refused({{"w", entry({})}}, field(1, 1) + field(2, 1)), HasSubstr("big-endian"));
  EXPECT_THAT(refused({{"w", entry({})}}, field(1, 2)), HasSubstr("2 data files, 1 are there"));
  EXPECT_THAT(read(table({{"w", entry({})}})), HasSubstr("no header"));
  EXPECT_THAT(read(table(std::vector<Key>{})), HasSubstr("no header"));
}

TEST(TensorBundleHostile, TablesThatLie) {
  const std::string header = field(1, 1);
  const std::string one = block({{"", header}, {"w", entry({})}});
  const std::string blocks = with_trailer(one);
  ASSERT_EQ(read(table(blocks, {handle(0, one.size())})), "");
  EXPECT_THAT(read(table(blocks, {handle(0, one.size()), handle(0, one.size())})),
              HasSubstr("overlaps the one before"));
  EXPECT_THAT(read(table(blocks, {handle(0, 1u << 30)})), HasSubstr("takes 1073741824 bytes at 0"));
  EXPECT_THAT(read(table(blocks, {handle(~size_t{0}, one.size())})), HasSubstr("a block takes"));
  EXPECT_THAT(read(table(blocks, {handle(0, ~size_t{0})})), HasSubstr("a block takes"));
  EXPECT_THAT(read(table(blocks, {handle(0, 3)})), HasSubstr("a block takes 3 bytes"));
  EXPECT_THAT(read(table(blocks, {handle(0, one.size() - 1)})), HasSubstr("checksum of the block"));
  EXPECT_THAT(read(table(blocks, {"\x80"})), HasSubstr("truncated"));
  EXPECT_THAT(read(table(with_trailer(one, 1), {handle(0, one.size())})),
              HasSubstr("the block at 0 is compressed (snappy)"));
  const std::string many = one.substr(0, one.size() - 4) + as_bytes_text(~uint32_t{0});
  EXPECT_THAT(read(table(with_trailer(many), {handle(0, many.size())})),
              HasSubstr("4294967295 restarts do not fit"));
  EXPECT_THAT(read(table({{"", header}, {"w", entry({}), 1}})), HasSubstr("shares 1 of 0 bytes"));
  EXPECT_THAT(read(table({{"", header}, {std::string(5000, 'w'), entry({})}})),
              HasSubstr("the limit is 4096"));
  EXPECT_THAT(read(table({{"", header}, {"w", entry({})}, {"v", entry({})}})),
              HasSubstr("keys are not in order"));
  EXPECT_THAT(read(table({{"", header}, {"w", entry({})}, {"", entry({}), 1}})),
              HasSubstr("keys are not in order"));
  EXPECT_THAT(read("PAR1"), HasSubstr("4 bytes are no table"));
  EXPECT_THAT(read(std::string(100, 'x')), HasSubstr("does not end as a table"));
}

// Each entry of four bytes makes a name of 4,096.
TEST(TensorBundleHostile, NamesThatGrowStayBounded) {
  std::vector<Key> keys{{"", field(1, 1)}, {std::string(4000, 'a'), ""}};
  for (int i = 0; i < 30'000; ++i) {
    const std::string number = {static_cast<char>('b' + i / 900),
                                static_cast<char>(33 + i / 30 % 30),
                                static_cast<char>(33 + i % 30)};
    keys.push_back({number, "", 3997});
  }
  EXPECT_THAT(read(table(keys)), HasSubstr("67108864 bytes of names"));
}

TEST(TensorBundleHostile, CutOrChangedAnywhereItIsRefusedOrRead) {
  const std::string index = published("bert/f32_bundle/bert_model.ckpt.index");
  const std::string data = published("bert/f32_bundle/bert_model.ckpt.data-00000-of-00001");
  const ReadBytes of_index = [&](std::span<const std::byte> bytes) {
    const BundleFile file{"x.data-00000-of-00001", std::as_bytes(std::span(data))};
    parse_tensor_bundle({"file", bytes}, std::span(&file, 1));
  };
  const ReadBytes of_data = [&](std::span<const std::byte> bytes) {
    const BundleFile file{"x.data-00000-of-00001", bytes};
    parse_tensor_bundle({"file", std::as_bytes(std::span(index))}, std::span(&file, 1));
  };
  expect_cuts_refused(index, of_index);
  expect_cuts_refused(data, of_data);
  expect_changes_survived(index, of_index);
  std::string changed = data;  // every bit of a tensor counts
  changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
  EXPECT_THAT(message_of(changed, of_data), HasSubstr("the checksum of tensor"));
}

}  // namespace
}  // namespace strata::models
