#include "models/format/torch_state.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/log.h"
#include "models/format/file_refuser.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_limits.h"

namespace strata::models {
namespace {

constexpr std::string_view kTensorV2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kTensorV3 = "torch._utils._rebuild_tensor_v3";
constexpr std::string_view kParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kSize = "torch.Size";
constexpr std::array<std::string_view, 2> kUntyped{"torch.UntypedStorage",
                                                   "torch.storage.UntypedStorage"};
constexpr std::array<std::string_view, 4> kNests{"state_dict", "model", "model_state_dict",
                                                 "module"};

struct NamedType {
  std::string_view name;
  SafeType type;
};
constexpr std::array kStorages{
    NamedType{"torch.FloatStorage", SafeType::f32},
    NamedType{"torch.HalfStorage", SafeType::f16},
    NamedType{"torch.BFloat16Storage", SafeType::bf16},
    NamedType{"torch.DoubleStorage", SafeType::f64},
    NamedType{"torch.ByteStorage", SafeType::u8},
    NamedType{"torch.CharStorage", SafeType::i8},
    NamedType{"torch.ShortStorage", SafeType::i16},
    NamedType{"torch.IntStorage", SafeType::i32},
    NamedType{"torch.LongStorage", SafeType::i64},
    NamedType{"torch.BoolStorage", SafeType::boolean},
};
constexpr std::array kTypes{
    NamedType{"torch.float32", SafeType::f32},
    NamedType{"torch.float16", SafeType::f16},
    NamedType{"torch.bfloat16", SafeType::bf16},
    NamedType{"torch.float64", SafeType::f64},
    NamedType{"torch.uint8", SafeType::u8},
    NamedType{"torch.int8", SafeType::i8},
    NamedType{"torch.int16", SafeType::i16},
    NamedType{"torch.int32", SafeType::i32},
    NamedType{"torch.int64", SafeType::i64},
    NamedType{"torch.bool", SafeType::boolean},
    NamedType{"torch.uint16", SafeType::u16},
    NamedType{"torch.uint32", SafeType::u32},
    NamedType{"torch.uint64", SafeType::u64},
    NamedType{"torch.float8_e4m3fn", SafeType::f8_e4m3},
    NamedType{"torch.float8_e5m2", SafeType::f8_e5m2},
    NamedType{"torch.float8_e8m0fnu", SafeType::f8_e8m0},
};

template <typename Table>
const NamedType* find_type(const Table& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &NamedType::name);
  return found == table.end() ? nullptr : &*found;
}

bool is_untyped(std::string_view name) {
  return std::ranges::find(kUntyped, name) != kUntyped.end();
}

// A persistent id: ("storage", class, key, device, number of elements[, a view of old files]).
struct StorageId {
  std::string_view key;
  TorchStorage storage;
};

StorageId storage_id(const Pickle& pickle, const PickleValue& persistent,
                     const FileRefuser& refuse) {
  const PickleValue& id = pickle.at(persistent.items[0]);
  const auto field = [&](size_t i) -> const PickleValue& { return pickle.at(id.items[i]); };
  const bool is_storage =
      id.kind == PickleKind::tuple && (id.items.size() == 5 || id.items.size() == 6) &&
      field(0).kind == PickleKind::text && field(0).text == "storage" &&
      field(1).kind == PickleKind::global && field(2).kind == PickleKind::text &&
      field(4).kind == PickleKind::integer && field(4).integer >= 0;
  if (!is_storage) refuse("pickle: a persistent id that is no storage");
  StorageId out{field(2).text, {}};
  const NamedType* type = find_type(kStorages, field(1).text);
  out.storage.untyped = is_untyped(field(1).text);
  if (type == nullptr && !out.storage.untyped) {
    refuse("pickle: storage '{}' is of the class '{}'", printable(out.key), field(1).text);
  }
  if (id.items.size() == 6 && field(5).kind != PickleKind::none) {
    refuse.unsupported("save the model again with a newer PyTorch",
                       "pickle: storage '{}' is a view of another one", printable(out.key));
  }
  if (type != nullptr) out.storage.type = type->type;
  out.storage.n = static_cast<uint64_t>(field(4).integer);
  return out;
}

class StateDict {
 public:
  StateDict(const Pickle& pickle, const TorchStorages& storages, std::string_view file)
      : pickle_(pickle), storages_(storages), refuse_(file) {}

  std::vector<SafeTensor> read() const {
    const PickleValue& dict = state_dict();
    std::vector<SafeTensor> tensors;
    std::set<std::string_view> names;
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleValue& key = pickle_.at(dict.items[i]);
      if (key.kind != PickleKind::text) refuse_("pickle: a key of the state dict is no text");
      if (!names.insert(key.text).second) {
        refuse_("pickle: tensor '{}' stands there twice", printable(key.text));
      }
      const PickleValue& value = pickle_.at(dict.items[i + 1]);
      if (!is_tensor(value)) {
        refuse_.unsupported("save the model's state_dict() alone",
                            "pickle: '{}' of the state dict is no tensor", printable(key.text));
      }
      tensors.push_back(parameter(key.text, value));
    }
    return tensors;
  }

 private:
  bool is_tensor(const PickleValue& value) const {
    if (value.kind != PickleKind::call) return false;
    const std::string& name = pickle_.at(value.items[0]).text;
    return name == kTensorV2 || name == kTensorV3 || name == kParameter;
  }

  bool has_tensors(const PickleValue& dict) const {
    for (size_t i = 1; i < dict.items.size(); i += 2) {
      if (is_tensor(pickle_.at(dict.items[i]))) return true;
    }
    return false;
  }

  const PickleValue* entry(const PickleValue& dict, std::string_view wanted) const {
    for (size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleValue& key = pickle_.at(dict.items[i]);
      if (key.kind == PickleKind::text && key.text == wanted) return &pickle_.at(dict.items[i + 1]);
    }
    return nullptr;
  }

  const PickleValue& state_dict() const {
    const PickleValue& top = pickle_.top();
    if (top.kind != PickleKind::dict) {
      refuse_.unsupported("save the model's state_dict()", "the pickle is no dictionary");
    }
    if (has_tensors(top)) return top;
    for (const std::string_view nest : kNests) {
      const PickleValue* value = entry(top, nest);
      if (value == nullptr || value->kind != PickleKind::dict || !has_tensors(*value)) continue;
      log_info("{}: the tensors are those of '{}'; {} other entries are not the model's",
               refuse_.file(), nest, top.items.size() / 2 - 1);
      return *value;
    }
    refuse_.unsupported("save the model's state_dict()", "the pickle is no dictionary of tensors");
  }

  std::span<const uint32_t> arguments(const PickleValue& call, std::string_view name, size_t least,
                                      size_t most) const {
    const auto& items = pickle_.at(call.items[1]).items;
    if (items.size() < least || items.size() > most) {
      refuse_("pickle: tensor '{}' is made of {} arguments", printable(name), items.size());
    }
    return items;
  }

  SafeTensor parameter(std::string_view name, const PickleValue& value) const {
    if (pickle_.at(value.items[0]).text != kParameter) return tensor(name, value);
    const PickleValue& data = pickle_.at(arguments(value, name, 3, 3)[0]);
    if (!is_tensor(data) || pickle_.at(data.items[0]).text == kParameter) {
      refuse_("pickle: parameter '{}' is made of no tensor", printable(name));
    }
    return tensor(name, data);
  }

  // (storage, offset, size, stride, requires_grad, hooks[, metadata]); v3 has the type before the
  // metadata.
  SafeTensor tensor(std::string_view name, const PickleValue& call) const {
    const bool v3 = pickle_.at(call.items[0]).text == kTensorV3;
    const auto args = v3 ? arguments(call, name, 7, 8) : arguments(call, name, 6, 7);
    const TorchStorage& storage = storage_of(name, pickle_.at(args[0]));
    if (storage.untyped != v3) refuse_("pickle: tensor '{}' has no type", printable(name));
    SafeTensor out;
    out.name = name;
    out.type = v3 ? type_of(name, pickle_.at(args[6])) : storage.type;
    const uint64_t offset = count(name, "offset", pickle_.at(args[1]));
    out.shape = counts(name, "size", pickle_.at(args[2]));
    place(out, storage, offset, counts(name, "stride", pickle_.at(args[3])));
    return out;
  }

  const TorchStorage& storage_of(std::string_view name, const PickleValue& value) const {
    if (value.kind != PickleKind::persistent) {
      refuse_("pickle: tensor '{}' has no storage", printable(name));
    }
    return storages_.find(storage_id(pickle_, value, refuse_).key)->second;
  }

  SafeType type_of(std::string_view name, const PickleValue& value) const {
    const NamedType* type =
        value.kind == PickleKind::global ? find_type(kTypes, value.text) : nullptr;
    if (type == nullptr) refuse_("pickle: tensor '{}' has no type", printable(name));
    return type->type;
  }

  uint64_t count(std::string_view name, std::string_view field, const PickleValue& value) const {
    if (value.kind != PickleKind::integer || value.integer < 0) {
      refuse_("pickle: the {} of tensor '{}' is no whole number from 0 on", field, printable(name));
    }
    return static_cast<uint64_t>(value.integer);
  }

  std::vector<uint64_t> counts(std::string_view name, std::string_view field,
                               const PickleValue& value) const {
    if (value.kind == PickleKind::call && pickle_.at(value.items[0]).text == kSize) {
      const PickleValue& inner = pickle_.at(arguments(value, name, 1, 1)[0]);
      if (inner.kind == PickleKind::tuple) return counts(name, field, inner);
    }
    if (value.kind != PickleKind::tuple || value.items.size() > kMaxHfDimensions) {
      refuse_("pickle: the {} of tensor '{}' is no tuple of at most {} numbers", field,
              printable(name), kMaxHfDimensions);
    }
    std::vector<uint64_t> out;
    for (const uint32_t item : value.items) out.push_back(count(name, field, pickle_.at(item)));
    return out;
  }

  // The tensor's bytes, where they follow each other row by row or column by column.
  void place(SafeTensor& tensor, const TorchStorage& storage, uint64_t offset,
             const std::vector<uint64_t>& strides) const {
    if (strides.size() != tensor.shape.size()) {
      refuse_("pickle: tensor '{}' has {} dimensions and {} strides", printable(tensor.name),
              tensor.shape.size(), strides.size());
    }
    const uint64_t element = safe_type_bytes(tensor.type);
    uint64_t n = 1;
    bool by_rows = true;
    for (size_t i = strides.size(); i-- > 0;) {
      by_rows = by_rows && (tensor.shape[i] == 1 || strides[i] == n);
      n = checked_mul(n, tensor.shape[i], "size");
    }
    const uint64_t begin = checked_mul(offset, element, "offset");
    const uint64_t size = checked_mul(n, element, "size");
    if (size > storage.bytes.size() || begin > storage.bytes.size() - size) {
      refuse_("pickle: tensor '{}' takes {} bytes at {} of a storage of {}", printable(tensor.name),
              size, begin, storage.bytes.size());
    }
    tensor.bytes = storage.bytes.subspan(static_cast<size_t>(begin), static_cast<size_t>(size));
    if (by_rows || n == 0) return;
    tensor.by_columns = strides.size() == 2 && strides[0] == 1 && strides[1] == tensor.shape[0];
    if (tensor.by_columns) return;
    refuse_.unsupported("save the model with .contiguous() tensors",
                        "pickle: tensor '{}' of size ({}) has strides ({}), neither row by row "
                        "nor transposed",
                        printable(tensor.name), fmt::join(tensor.shape, ", "),
                        fmt::join(strides, ", "));
  }

  const Pickle& pickle_;
  const TorchStorages& storages_;
  FileRefuser refuse_;
};

}  // namespace

bool is_torch_global(std::string_view global) {
  return global == kTensorV2 || global == kTensorV3 || global == kParameter || global == kSize ||
         is_untyped(global) || find_type(kStorages, global) != nullptr ||
         find_type(kTypes, global) != nullptr;
}

TorchStorages torch_storages(const Pickle& pickle, std::string_view file) {
  const FileRefuser refuse(file);
  TorchStorages out;
  for (const PickleValue& value : pickle.values) {
    if (value.kind != PickleKind::persistent) continue;
    const auto [key, storage] = storage_id(pickle, value, refuse);
    const auto [known, is_new] = out.emplace(key, storage);
    if (is_new) continue;
    const TorchStorage& other = known->second;
    if (other.type != storage.type || other.untyped != storage.untyped || other.n != storage.n) {
      refuse("pickle: storage '{}' has two types or sizes", printable(key));
    }
  }
  return out;
}

uint64_t storage_bytes(const TorchStorage& storage) {
  return checked_mul(storage.n, safe_type_bytes(storage.type), "storage");
}

std::vector<SafeTensor> state_dict_tensors(const Pickle& pickle, const TorchStorages& storages,
                                           std::string_view file) {
  return StateDict(pickle, storages, file).read();
}

}  // namespace strata::models
