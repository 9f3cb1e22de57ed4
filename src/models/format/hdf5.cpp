#include "models/format/hdf5.h"

#include <algorithm>
#include <set>
#include <string>

#include "core/bytes.h"
#include "models/format/gguf_part.h"
#include "models/format/hdf5_object.h"
#include "models/format/hf_limits.h"

namespace strata::models {
namespace {

constexpr std::string_view kSignature{"\x89HDF\r\n\x1a\n", 8};
constexpr size_t kTreeBytes = 24;   // of a node before its keys
constexpr size_t kEntryBytes = 40;  // of a symbol table
constexpr uint32_t kSymbolicLink = 2;

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, std::string_view file) : bytes_(bytes), refuse_(file) {}

  std::vector<SafeTensor> read() {
    read_object(root_address(), "", 0);
    check_overlap();
    return std::move(tensors_);
  }

 private:
  uint64_t root_address() const {
    ByteReader reader(bytes_);
    if (bytes_.size() < kSignature.size() || reader.take_text(8, "signature") != kSignature) {
      refuse_("it is no HDF5 file");
    }
    const auto version = reader.read<uint8_t>("superblock");
    if (version > 1) {
      refuse_.unsupported("save the weights again with h5py's libver='earliest'",
                          "the superblock has version {}; 0 and 1 are read", version);
    }
    reader.take(4, "versions");
    const auto address_bytes = reader.read<uint8_t>("size of addresses");
    const auto length_bytes = reader.read<uint8_t>("size of lengths");
    if (address_bytes != 8 || length_bytes != 8) {
      refuse_.unsupported("save the weights again with h5py",
                          "addresses of {} bytes, lengths of {}", address_bytes, length_bytes);
    }
    reader.take(1 + 2 + 2 + 4, "superblock");
    if (version == 1) reader.take(4, "superblock");
    if (const auto base = reader.read<uint64_t>("base address"); base != 0) {
      refuse_.unsupported("save the weights again with h5py", "the base address is {}", base);
    }
    reader.take(8, "free space");
    if (const auto end = reader.read<uint64_t>("end"); end > bytes_.size()) {
      refuse_("the file was cut: it ends at {}, not at {}", bytes_.size(), end);
    }
    reader.take(8 + 8, "superblock");
    return reader.read<uint64_t>("the root's address");
  }

  // Each address once: a file whose parts point to each other cannot hold the reader.
  void visit(uint64_t address, std::string_view what) {
    if (visited_.size() == kMaxHdf5Nodes) refuse_("more than {} nodes", kMaxHdf5Nodes);
    if (!visited_.insert(address).second) refuse_("{} at {} is reached twice", what, address);
  }

  void read_object(uint64_t address, const std::string& path, size_t depth) {
    if (depth > kMaxHdf5Depth) refuse_("'{}' lies deeper than {} groups", path, kMaxHdf5Depth);
    visit(address, "an object");
    const Hdf5Object object(bytes_, address, path, refuse_);
    n_messages_ += object.n_messages();
    if (n_messages_ > kMaxHdf5Messages) refuse_("more than {} messages", kMaxHdf5Messages);
    const auto group = object.group();
    if (!group) {
      tensors_.push_back(object.tensor());
      return;
    }
    read_tree(group->tree, names_of(group->heap), path, depth, -1);
  }

  // A local heap's text.
  std::span<const std::byte> names_of(uint64_t address) const {
    ByteReader reader(hdf5_bytes(bytes_, address, 32, "a local heap", refuse_));
    if (reader.take_text(4, "heap") != "HEAP") refuse_("there is no local heap at {}", address);
    reader.take(4, "version");
    const auto size = reader.read<uint64_t>("heap's size");
    reader.take(8, "free list");
    return hdf5_bytes(bytes_, reader.read<uint64_t>("heap's address"), size, "a heap's text",
                      refuse_);
  }

  // `level`: what the node above demands; -1: it is the root.
  void read_tree(uint64_t address, std::span<const std::byte> names, const std::string& path,
                 size_t depth, int level) {
    visit(address, "a node of a B-tree");
    ByteReader reader(hdf5_bytes(bytes_, address, kTreeBytes, "a B-tree", refuse_));
    if (reader.take_text(4, "tree") != "TREE" || reader.read<uint8_t>("tree") != 0) {
      refuse_("there is no B-tree of a group at {}", address);
    }
    const int own_level = reader.read<uint8_t>("level");
    if (own_level > static_cast<int>(kMaxHdf5Depth) || (level >= 0 && own_level != level)) {
      refuse_("the B-tree's node at {} is of level {}", address, own_level);
    }
    const auto n = reader.read<uint16_t>("entries");
    ByteReader pairs(
        hdf5_bytes(bytes_, address + kTreeBytes, 16 * uint64_t{n}, "a B-tree", refuse_));
    for (uint16_t i = 0; i < n; ++i) {
      pairs.take(8, "key");
      const auto child = pairs.read<uint64_t>("child");
      if (own_level > 0) {
        read_tree(child, names, path, depth, own_level - 1);
      } else {
        read_members(child, names, path, depth);
      }
    }
  }

  void read_members(uint64_t address, std::span<const std::byte> names, const std::string& path,
                    size_t depth) {
    visit(address, "a symbol table");
    ByteReader head(hdf5_bytes(bytes_, address, 8, "a symbol table", refuse_));
    if (head.take_text(4, "table") != "SNOD") refuse_("there is no symbol table at {}", address);
    head.take(2, "version");
    const auto n = head.read<uint16_t>("entries");
    ByteReader reader(
        hdf5_bytes(bytes_, address + 8, kEntryBytes * uint64_t{n}, "a symbol table", refuse_));
    for (uint16_t i = 0; i < n; ++i) {
      const auto name_at = reader.read<uint64_t>("name");
      const auto object = reader.read<uint64_t>("object");
      const auto cached = reader.read<uint32_t>("kind");
      reader.take(4 + 16, "entry");
      const std::string name = name_of(names, name_at);
      const std::string inner = path.empty() ? name : path + "/" + name;
      if (cached == kSymbolicLink) {
        refuse_.unsupported("save the weights again without links", "'{}' is a symbolic link",
                            inner);
      }
      read_object(object, inner, depth + 1);
    }
  }

  std::string name_of(std::span<const std::byte> names, uint64_t at) const {
    const std::string_view text(reinterpret_cast<const char*>(names.data()), names.size());
    if (at >= text.size()) refuse_("a name at {} of {} bytes of names", at, text.size());
    const std::string_view rest = text.substr(static_cast<size_t>(at), kMaxHdf5Name + 1);
    const std::string_view name = rest.substr(0, rest.find('\0'));
    if (name.empty() || name.size() == rest.size() || printable(name) != name) {
      refuse_("'{}' at {} is no name of at most {} bytes", printable(name), at, kMaxHdf5Name);
    }
    return std::string(name);
  }

  void check_overlap() const {
    std::vector<const SafeTensor*> sorted;
    for (const SafeTensor& tensor : tensors_) {
      if (!tensor.bytes.empty()) sorted.push_back(&tensor);
    }
    std::ranges::sort(sorted, {}, [](const SafeTensor* tensor) { return tensor->bytes.data(); });
    for (size_t i = 1; i < sorted.size(); ++i) {
      const auto& before = sorted[i - 1]->bytes;
      if (before.data() + before.size() <= sorted[i]->bytes.data()) continue;
      refuse_("'{}' and '{}' overlap", sorted[i - 1]->name, sorted[i]->name);
    }
  }

  std::span<const std::byte> bytes_;
  FileRefuser refuse_;
  std::set<uint64_t> visited_;
  size_t n_messages_ = 0;
  std::vector<SafeTensor> tensors_;
};

}  // namespace

std::vector<SafeTensor> parse_hdf5(std::span<const std::byte> bytes, std::string_view file) {
  return naming_file(file, [&] { return Reader(bytes, file).read(); });
}

}  // namespace strata::models
