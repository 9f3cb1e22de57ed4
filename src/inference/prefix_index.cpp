#include "inference/prefix_index.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>

#include <zlib.h>

#include "core/bytes.h"
#include "core/check.h"
#include "core/error.h"
#include "inference/kv_pool.h"
#include "inference/limits.h"

namespace strata::inference {
namespace {

constexpr std::array<char, 8> kMagic{'s', 't', 'r', 'a', 't', 'a', 'K', 'V'};
constexpr uint32_t kVersion = 1;
constexpr uint64_t kNodeBytes = 4 + 8 + 4 + 4;  // without tokens and sums

template <typename T>
void append(std::string& out, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& out, const std::string& text) {
  append(out, static_cast<uint32_t>(text.size()));
  out += text;
}

uint32_t mask_of(const PrefixFileNode& node) {
  uint32_t mask = 0;
  for (size_t p = 0; p < node.blocks.size(); ++p) mask |= uint32_t{node.blocks[p].there} << p;
  return mask;
}

void append_node(std::string& out, const PrefixFileNode& node) {
  append(out, node.parent);
  append(out, node.scope);
  append(out, static_cast<uint32_t>(node.tokens.size()));
  append(out, mask_of(node));
  for (const int32_t token : node.tokens) append(out, token);
  for (const PrefixFileBlock& block : node.blocks) {
    if (block.there) append(out, block.crc32);
  }
}

Error damaged(std::string_view what) {
  return {Code::data_loss, fmt::format("damaged: {}", what)};
}

PrefixHead parse_head(ByteReader& reader, uint64_t file_bytes) {
  if (file_bytes < kPrefixHeadBytes) throw damaged(fmt::format("{} bytes long", file_bytes));
  const std::string_view magic = reader.take_text(kMagic.size(), "magic");
  if (magic != std::string_view(kMagic.data(), kMagic.size())) throw damaged("no file of ours");
  const auto version = reader.read<uint32_t>("version");
  if (version != kVersion) {
    throw Error(Code::failed_precondition,
                fmt::format("written in version {} of the format, this is {}", version, kVersion));
  }
  PrefixHead head;
  head.sum = reader.read<uint32_t>("sum");
  head.index_bytes = reader.read<uint64_t>("length of the index");
  if (head.index_bytes > kMaxPrefixIndexBytes || head.index_bytes > file_bytes - kPrefixHeadBytes) {
    throw damaged(
        fmt::format("an index of {} bytes in a file of {}", head.index_bytes, file_bytes));
  }
  return head;
}

PrefixFileNode parse_node(ByteReader& reader, const PrefixIndex& before) {
  PrefixFileNode node;
  node.parent = reader.read<int32_t>("parent");
  node.scope = reader.read<uint64_t>("scope");
  const auto n_tokens = reader.read<uint32_t>("count of tokens");
  const auto mask = reader.read<uint32_t>("pools");
  if (node.parent < -1 || node.parent >= static_cast<int64_t>(before.nodes.size())) {
    throw damaged(fmt::format("node {} hangs on {}", before.nodes.size(), node.parent));
  }
  if (node.parent >= 0) {
    const PrefixFileNode& parent = before.nodes[static_cast<size_t>(node.parent)];
    if (parent.tokens.size() != kBlockPositions) throw damaged("a part of a block goes on");
    if (parent.scope != node.scope) throw damaged("a node of another scope than its parent");
  }
  if (n_tokens < 1 || n_tokens > static_cast<uint32_t>(kBlockPositions)) {
    throw damaged(fmt::format("a node of {} tokens", n_tokens));
  }
  const size_t n_pools = before.block_bytes.size();
  if (mask >> n_pools != 0) throw damaged("blocks of pools that are not there");
  for (uint32_t i = 0; i < n_tokens; ++i) node.tokens.push_back(reader.read<int32_t>("token"));
  for (size_t p = 0; p < n_pools; ++p) {
    PrefixFileBlock block;
    block.there = (mask >> p & 1) != 0;
    if (block.there) block.crc32 = reader.read<uint32_t>("sum of a block");
    node.blocks.push_back(block);
  }
  return node;
}

PrefixIndex parse_body(ByteReader reader) {
  PrefixIndex index;
  index.model = reader.take_text(reader.read<uint32_t>("length of the model's name"), "model");
  index.identity = reader.take_text(reader.read<uint32_t>("length of the identity"), "identity");
  const auto n_pools = reader.read<uint32_t>("count of pools");
  if (n_pools > kMaxPrefixPools) throw damaged(fmt::format("{} pools", n_pools));
  for (uint32_t p = 0; p < n_pools; ++p) {
    index.block_bytes.push_back(reader.read<uint64_t>("bytes of a block"));
  }
  const auto n_nodes = reader.read<uint32_t>("count of nodes");
  if (n_nodes > kMaxPrefixNodes) throw damaged(fmt::format("{} nodes", n_nodes));
  for (uint32_t i = 0; i < n_nodes; ++i) index.nodes.push_back(parse_node(reader, index));
  if (reader.remaining() > 0) throw damaged("bytes behind the last node");
  return index;
}

// Where each block stands: in the order of the nodes, with nothing between and nothing behind.
void place_blocks(PrefixIndex& index, uint64_t begin, uint64_t file_bytes) {
  uint64_t offset = begin;
  for (PrefixFileNode& node : index.nodes) {
    for (size_t p = 0; p < node.blocks.size(); ++p) {
      if (!node.blocks[p].there) continue;
      node.blocks[p].offset = offset;
      offset = checked_add(offset, index.block_bytes[p], "length of the file");
    }
  }
  if (offset != file_bytes) {
    throw damaged(fmt::format("{} bytes long, its blocks end at {}", file_bytes, offset));
  }
}

// What a reader of bytes finds fault with is the file's fault.
template <typename Read>
auto as_data_loss(const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.code() != Code::invalid_argument) throw;
    throw Error(Code::data_loss, error.message());
  }
}

}  // namespace

int64_t PrefixIndex::n_tokens() const {
  int64_t n = 0;
  for (const PrefixFileNode& node : nodes) n += static_cast<int64_t>(node.tokens.size());
  return n;
}

uint64_t node_bytes(const PrefixFileNode& node) {
  const auto n_blocks = std::ranges::count_if(node.blocks, &PrefixFileBlock::there);
  return kNodeBytes + node.tokens.size() * sizeof(int32_t) +
         static_cast<uint64_t>(n_blocks) * sizeof(uint32_t);
}

uint64_t blocks_bytes(const PrefixFileNode& node, std::span<const uint64_t> block_bytes) {
  uint64_t bytes = 0;
  for (size_t p = 0; p < node.blocks.size(); ++p) {
    if (node.blocks[p].there) bytes += block_bytes[p];
  }
  return bytes;
}

std::string index_bytes(const PrefixIndex& index) {
  CHECK(index.block_bytes.size() <= kMaxPrefixPools);
  std::string body;
  append_text(body, index.model);
  append_text(body, index.identity);
  append(body, static_cast<uint32_t>(index.block_bytes.size()));
  for (const uint64_t bytes : index.block_bytes) append(body, bytes);
  append(body, static_cast<uint32_t>(index.nodes.size()));
  for (const PrefixFileNode& node : index.nodes) append_node(body, node);
  if (body.size() > kMaxPrefixIndexBytes) {
    throw Error(Code::resource_exhausted, fmt::format("an index of {} bytes, the limit is {}",
                                                      body.size(), kMaxPrefixIndexBytes));
  }
  std::string out(kMagic.data(), kMagic.size());
  append(out, kVersion);
  append(out, prefix_sum(std::as_bytes(std::span(body))));
  append(out, uint64_t{body.size()});
  return out + body;
}

uint32_t prefix_sum(std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

PrefixHead parse_prefix_head(std::span<const std::byte> bytes, uint64_t file_bytes) {
  return as_data_loss([&] {
    ByteReader reader(bytes);
    return parse_head(reader, file_bytes);
  });
}

PrefixIndex parse_prefix_index(std::span<const std::byte> bytes, uint64_t file_bytes) {
  return as_data_loss([&] {
    ByteReader reader(bytes);
    const PrefixHead head = parse_head(reader, file_bytes);
    const auto body = reader.take(head.index_bytes, "index");
    if (prefix_sum(body) != head.sum) throw damaged("the sum of the index is wrong");
    PrefixIndex index = parse_body(ByteReader(body));
    place_blocks(index, kPrefixHeadBytes + head.index_bytes, file_bytes);
    return index;
  });
}

}  // namespace strata::inference
