#include "models/format/torch_file.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "core/bytes.h"
#include "models/format/file_refuser.h"
#include "models/format/gguf_part.h"
#include "models/format/stored_zip.h"
#include "models/format/torch_state.h"

namespace strata::models {
namespace {

constexpr std::string_view kPickleMember = "/data.pkl";
// What files of before 1.6 begin with, as a pickled integer (torch/serialization.py).
constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kLegacyProtocol = 1001;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void refuse_big_endian(const FileRefuser& refuse) {
  refuse.unsupported("save the model on a little-endian machine",
                     "the tensors are in big-endian byte order");
}

// NAME/data.pkl, NAME/data/KEY for each storage, NAME/byteorder.
class ZipFile {
 public:
  ZipFile(std::span<const std::byte> bytes, std::string_view file)
      : refuse_(file), members_(read_stored_zip(bytes, file)) {
    for (const StoredMember& member : members_) by_name_.emplace(member.name, member.bytes);
  }

  std::vector<SafeTensor> tensors() const {
    const std::string prefix = find_prefix();
    if (by_name_.contains(prefix + "/constants.pkl")) {
      refuse_.unsupported("save the model's state_dict() with torch.save",
                          "it is a TorchScript program, no state dict");
    }
    const auto order = by_name_.find(prefix + "/byteorder");
    if (order != by_name_.end() && as_text(order->second) != "little") refuse_big_endian(refuse_);
    const Pickle pickle = read_pickle(by_name_.at(prefix + std::string(kPickleMember)),
                                      refuse_.file(), is_torch_global);
    TorchStorages storages = torch_storages(pickle, refuse_.file());
    for (auto& [key, storage] : storages) {
      const std::string name = fmt::format("{}/data/{}", prefix, key);
      const auto member = by_name_.find(name);
      if (member == by_name_.end()) refuse_("zip: there is no member '{}'", printable(name));
      const uint64_t size = storage_bytes(storage);
      if (size != member->second.size()) {
        refuse_("storage '{}' needs {} bytes, its member has {}", printable(key), size,
                member->second.size());
      }
      storage.bytes = member->second;
    }
    return state_dict_tensors(pickle, storages, refuse_.file());
  }

 private:
  std::string find_prefix() const {
    std::optional<std::string> prefix;
    for (const StoredMember& member : members_) {
      if (!member.name.ends_with(kPickleMember)) continue;
      const auto name = member.name.substr(0, member.name.size() - kPickleMember.size());
      if (name.find('/') != std::string_view::npos) continue;
      if (prefix) refuse_("zip: two members are a data.pkl");
      prefix = name;
    }
    if (!prefix) refuse_("zip: no member is NAME/data.pkl; it is no file of PyTorch");
    return *prefix;
  }

  FileRefuser refuse_;
  std::vector<StoredMember> members_;
  std::unordered_map<std::string_view, std::span<const std::byte>> by_name_;
};

// Five pickles (magic number, protocol, the machine's sizes, the state dict, the storages' keys),
// then each storage: u64 number of elements, their bytes.
class LegacyFile {
 public:
  LegacyFile(std::span<const std::byte> bytes, std::string_view file)
      : bytes_(bytes), refuse_(file) {}

  std::vector<SafeTensor> tensors() {
    next_pickle();  // the magic number, which is_legacy has seen
    const Pickle protocol = next_pickle();
    if (protocol.top().kind != PickleKind::integer || protocol.top().integer != kLegacyProtocol) {
      refuse_("the format's version is not {}", kLegacyProtocol);
    }
    check_machine(next_pickle());
    const Pickle pickle = next_pickle();
    const Pickle keys = next_pickle();
    TorchStorages storages = torch_storages(pickle, refuse_.file());
    place(storages, keys);
    return state_dict_tensors(pickle, storages, refuse_.file());
  }

 private:
  Pickle next_pickle() {
    Pickle pickle = read_pickle(bytes_.subspan(at_), refuse_.file(), is_torch_global);
    at_ += pickle.size;
    return pickle;
  }

  void check_machine(const Pickle& pickle) const {
    const PickleValue& top = pickle.top();
    for (size_t i = 0; top.kind == PickleKind::dict && i < top.items.size(); i += 2) {
      const PickleValue& value = pickle.at(top.items[i + 1]);
      if (pickle.at(top.items[i]).text != "little_endian") continue;
      if (value.kind != PickleKind::boolean || value.integer == 0) refuse_big_endian(refuse_);
      return;
    }
    refuse_("nothing says which byte order the file has");
  }

  void place(TorchStorages& storages, const Pickle& keys) const {
    if (keys.top().kind != PickleKind::list) refuse_("the keys of the storages are no list");
    ByteReader reader(bytes_, at_);
    for (const uint32_t item : keys.top().items) {
      const PickleValue& key = keys.at(item);
      const auto found = key.kind == PickleKind::text ? storages.find(key.text) : storages.end();
      if (found == storages.end() || found->second.bytes.data() != nullptr) {
        refuse_("storage '{}' belongs to no tensor, or stands there twice", printable(key.text));
      }
      TorchStorage& storage = found->second;
      const auto n = reader.read<uint64_t>("number of elements");
      if (n != storage.n) {
        refuse_("storage '{}' has {} elements, its tensors say {}", printable(key.text), n,
                storage.n);
      }
      storage.bytes = reader.take(storage_bytes(storage), "a storage");
    }
    if (reader.remaining() != 0) {
      refuse_("{} bytes behind the last storage belong to none", reader.remaining());
    }
    for (const auto& [key, storage] : storages) {
      if (storage.bytes.data() == nullptr) refuse_("storage '{}' is missing", printable(key));
    }
  }

  std::span<const std::byte> bytes_;
  FileRefuser refuse_;
  size_t at_ = 0;
};

// A protocol's two bytes, LONG1 with 10 bytes, the number.
bool is_legacy(std::span<const std::byte> bytes) {
  return bytes.size() > 14 && bytes[0] == std::byte{0x80} &&
         as_text(bytes.subspan(2, 2)) == "\x8a\x0a" &&
         as_text(bytes.subspan(4, 10)) == kLegacyMagic;
}

}  // namespace

std::vector<SafeTensor> parse_torch_file(std::span<const std::byte> bytes, std::string_view file) {
  if (is_zip(bytes)) return naming_file(file, [&] { return ZipFile(bytes, file).tensors(); });
  if (is_legacy(bytes)) {
    return naming_file(file, [&] { return LegacyFile(bytes, file).tensors(); });
  }
  FileRefuser{file}("it is no file of torch.save: it begins with '{}'",
                    printable(as_text(bytes.first(std::min<size_t>(bytes.size(), 4)))));
}

}  // namespace strata::models
