#include "inference/prefix_file.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace strata::inference {
namespace {

template <typename Read>
auto naming(const fs::path& path, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", path.string(), error.message()), error.hint());
  }
}

Error damaged(std::string_view what) {
  return {Code::data_loss, fmt::format("damaged: {}", what)};
}

void read_all(File& file, std::span<std::byte> into) {
  while (!into.empty()) {
    const size_t got = file.read(into);
    if (got == 0) throw damaged(fmt::format("it ends {} bytes too early", into.size()));
    into = into.subspan(got);
  }
}

}  // namespace

void write_prefix_file(const fs::path& path, PrefixIndex index, const BlockBytes& block) {
  const fs::path temporary =
      path.parent_path() / (std::string(kTemporaryPrefix) + path.filename().string());
  try {
    File file = File::open(temporary, File::Mode::truncate, 0600);
    // The sums stand in front of what they are of.
    file.seek(index_bytes(index).size());
    for (size_t n = 0; n < index.nodes.size(); ++n) {
      for (size_t p = 0; p < index.block_bytes.size(); ++p) {
        PrefixFileBlock& entry = index.nodes[n].blocks[p];
        if (!entry.there) continue;
        const auto bytes = block(n, p);
        CHECK(bytes.size() == index.block_bytes[p]);
        entry.crc32 = prefix_sum(bytes);
        file.write(bytes);
      }
    }
    file.seek(0);
    const std::string front = index_bytes(index);
    file.write(std::as_bytes(std::span(front)));
    file.sync();
    rename_durably(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

PrefixFile PrefixFile::open(const fs::path& path) {
  PrefixFile opened(path, File::open(path, File::Mode::read));
  opened.size_bytes_ = opened.file_.size();
  naming(path, [&] {
    std::vector<std::byte> bytes(
        static_cast<size_t>(std::min<uint64_t>(opened.size_bytes_, kPrefixHeadBytes)));
    read_all(opened.file_, bytes);
    const PrefixHead head = parse_prefix_head(bytes, opened.size_bytes_);
    bytes.resize(kPrefixHeadBytes + static_cast<size_t>(head.index_bytes));
    read_all(opened.file_, std::span(bytes).subspan(kPrefixHeadBytes));
    opened.index_ = parse_prefix_index(bytes, opened.size_bytes_);
  });
  const auto& nodes = opened.index_.nodes;
  opened.children_.resize(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    auto& siblings = nodes[i].parent < 0 ? opened.beginnings_[nodes[i].scope]
                                         : opened.children_[static_cast<size_t>(nodes[i].parent)];
    siblings.push_back(static_cast<int32_t>(i));
  }
  return opened;
}

std::span<const int32_t> PrefixFile::beginnings(uint64_t scope) const {
  const auto found = beginnings_.find(scope);
  if (found == beginnings_.end()) return {};
  return found->second;
}

void PrefixFile::read_block(size_t node, size_t pool, std::span<std::byte> into) {
  const PrefixFileBlock& block = index_.nodes[node].blocks[pool];
  CHECK(block.there && into.size() == index_.block_bytes[pool]);
  naming(path_, [&] {
    file_.seek(block.offset);
    read_all(file_, into);
    if (prefix_sum(into) != block.crc32) {
      throw damaged(fmt::format("the sum of the block at {} is wrong", block.offset));
    }
  });
}

}  // namespace strata::inference
