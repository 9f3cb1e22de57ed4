#include "models/format/gguf_builder.h"

#include <algorithm>
#include <cstring>

namespace strata::models {
namespace {

template <typename T>
void append(std::vector<std::byte>& out, T value) {
  const auto* begin = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), begin, begin + sizeof(T));
}

void append_chars(std::vector<std::byte>& out, std::string_view text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  out.insert(out.end(), begin, begin + text.size());
}

void append_string(std::vector<std::byte>& out, std::string_view text) {
  append<uint64_t>(out, text.size());
  append_chars(out, text);
}

template <typename T>
std::vector<std::byte> scalar(T value) {
  std::vector<std::byte> out;
  append(out, value);
  return out;
}

std::vector<std::byte> array_head(MetaType element, size_t count) {
  std::vector<std::byte> out;
  append(out, static_cast<uint32_t>(element));
  append<uint64_t>(out, count);
  return out;
}

template <typename T>
std::vector<std::byte> array(MetaType element, const std::vector<T>& values) {
  auto out = array_head(element, values.size());
  for (const T value : values) append(out, value);
  return out;
}

void align(std::vector<std::byte>& out, size_t alignment) {
  if (alignment > 0) out.resize((out.size() + alignment - 1) / alignment * alignment);
}

}  // namespace

void GgufBuilder::set_u32(std::string_view key, uint32_t value) {
  set_raw(key, MetaType::u32, scalar(value));
}
void GgufBuilder::set_i32(std::string_view key, int32_t value) {
  set_raw(key, MetaType::i32, scalar(value));
}
void GgufBuilder::set_u64(std::string_view key, uint64_t value) {
  set_raw(key, MetaType::u64, scalar(value));
}
void GgufBuilder::set_f32(std::string_view key, float value) {
  set_raw(key, MetaType::f32, scalar(value));
}
void GgufBuilder::set_bool(std::string_view key, bool value) {
  set_raw(key, MetaType::boolean, scalar<uint8_t>(value ? 1 : 0));
}
void GgufBuilder::set_text(std::string_view key, std::string_view value) {
  std::vector<std::byte> bytes;
  append_string(bytes, value);
  set_raw(key, MetaType::string, std::move(bytes));
}
void GgufBuilder::set_texts(std::string_view key, const std::vector<std::string>& texts) {
  auto bytes = array_head(MetaType::string, texts.size());
  for (const auto& text : texts) append_string(bytes, text);
  set_raw(key, MetaType::array, std::move(bytes));
}
void GgufBuilder::set_i32s(std::string_view key, const std::vector<int32_t>& numbers) {
  set_raw(key, MetaType::array, array(MetaType::i32, numbers));
}
void GgufBuilder::set_bools(std::string_view key, const std::vector<bool>& flags) {
  auto bytes = array_head(MetaType::boolean, flags.size());
  for (const bool flag : flags) append<uint8_t>(bytes, flag ? 1 : 0);
  set_raw(key, MetaType::array, std::move(bytes));
}
void GgufBuilder::set_f32s(std::string_view key, const std::vector<float>& numbers) {
  set_raw(key, MetaType::array, array(MetaType::f32, numbers));
}

void GgufBuilder::set_raw(std::string_view key, MetaType type, std::vector<std::byte> bytes) {
  Value* value = find_value(key);
  if (value == nullptr) value = &values.emplace_back();
  *value = {std::string(key), static_cast<uint32_t>(type), std::move(bytes), std::nullopt};
}

void GgufBuilder::set_value(const MetaValue& value) {
  std::vector<std::byte> bytes;
  if (value.type == MetaType::string) append<uint64_t>(bytes, value.bytes.size());
  if (value.type == MetaType::array) bytes = array_head(value.element, value.count);
  bytes.insert(bytes.end(), value.bytes.begin(), value.bytes.end());
  set_raw(value.key, value.type, std::move(bytes));
}

void GgufBuilder::remove(std::string_view key) {
  std::erase_if(values, [&](const Value& value) { return value.key == key; });
}

void GgufBuilder::add_tensor(std::string_view name, tensor::DType type, std::vector<uint64_t> shape,
                             std::vector<std::byte> data) {
  tensors.push_back({std::string(name), std::move(shape), static_cast<uint32_t>(type),
                     std::move(data), std::nullopt, std::nullopt, std::nullopt});
}

void GgufBuilder::add_f32(std::string_view name, std::vector<uint64_t> shape,
                          const std::vector<float>& weights) {
  std::vector<std::byte> data(weights.size() * sizeof(float));
  if (!data.empty()) std::memcpy(data.data(), weights.data(), data.size());
  add_tensor(name, tensor::DType::f32, std::move(shape), std::move(data));
}

GgufBuilder::Value* GgufBuilder::find_value(std::string_view key) {
  const auto found = std::ranges::find(values, key, &Value::key);
  return found == values.end() ? nullptr : &*found;
}

GgufBuilder::Tensor* GgufBuilder::find_tensor(std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &Tensor::name);
  return found == tensors.end() ? nullptr : &*found;
}

std::vector<std::byte> GgufBuilder::build() const {
  std::vector<std::byte> out;
  append_chars(out, magic);
  append(out, version);
  append(out, n_tensors.value_or(tensors.size()));
  append(out, n_values.value_or(values.size()));
  for (const Value& value : values) {
    append(out, value.key_length.value_or(value.key.size()));
    append_chars(out, value.key);
    append(out, value.type);
    out.insert(out.end(), value.bytes.begin(), value.bytes.end());
  }
  std::vector<std::byte> data;
  for (const Tensor& tensor : tensors) {
    append(out, tensor.name_length.value_or(tensor.name.size()));
    append_chars(out, tensor.name);
    append(out, tensor.n_dims.value_or(static_cast<uint32_t>(tensor.shape.size())));
    for (const uint64_t dimension : tensor.shape) append(out, dimension);
    append(out, tensor.type);
    append(out, tensor.offset.value_or(data.size()));
    data.insert(data.end(), tensor.data.begin(), tensor.data.end());
    align(data, alignment);
  }
  if (!tensors.empty()) align(out, alignment);
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

}  // namespace strata::models
