#include "models/format/made_file.h"

#include <cstring>
#include <limits>

#include "core/check.h"
#include "core/error.h"

namespace strata::models {
namespace {

template <typename T>
void append(std::vector<std::byte>& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

void append_text(std::vector<std::byte>& out, std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  out.insert(out.end(), bytes, bytes + text.size());
}

template <typename T>
std::vector<std::byte> bytes_of(std::span<const T> values) {
  std::vector<std::byte> out;
  out.reserve(values.size_bytes());
  for (const T& value : values) append(out, value);
  return out;
}

}  // namespace

MadeFile::MadeFile(std::string format, uint64_t file_bytes, std::shared_ptr<const void> owner,
                   std::function<void(std::span<const std::byte>)> release)
    : format_(std::move(format)),
      file_bytes_(file_bytes),
      owner_(std::move(owner)),
      release_(std::move(release)) {}

void MadeFile::set(std::string_view key, MetaType type, MetaType element, uint64_t count,
                   std::vector<std::byte> bytes) {
  const std::vector<std::byte>& held = payloads_.emplace_back(std::move(bytes));
  if (const auto known = value_index_.find(key); known != value_index_.end()) {
    MetaValue& value = values_[known->second];
    value = {value.key, type, element, count, held};
    return;
  }
  const std::string& name = names_.emplace_back(key);
  value_index_.emplace(name, values_.size());
  values_.push_back({name, type, element, count, held});
}

void MadeFile::set_integer(std::string_view key, int64_t value) {
  std::vector<std::byte> bytes;
  MetaType type = MetaType::i64;
  if (value >= 0 && value <= std::numeric_limits<uint32_t>::max()) {
    type = MetaType::u32;
    append(bytes, static_cast<uint32_t>(value));
  } else if (value < 0 && value >= std::numeric_limits<int32_t>::min()) {
    type = MetaType::i32;
    append(bytes, static_cast<int32_t>(value));
  } else {
    append(bytes, value);
  }
  set(key, type, MetaType::u8, 1, std::move(bytes));
}

void MadeFile::set_number(std::string_view key, double value) {
  std::vector<std::byte> bytes;
  append(bytes, static_cast<float>(value));
  set(key, MetaType::f32, MetaType::u8, 1, std::move(bytes));
}

void MadeFile::set_flag(std::string_view key, bool value) {
  set(key, MetaType::boolean, MetaType::u8, 1, {std::byte{value}});
}

void MadeFile::set_text(std::string_view key, std::string_view value) {
  std::vector<std::byte> bytes;
  append_text(bytes, value);
  set(key, MetaType::string, MetaType::u8, 1, std::move(bytes));
}

void MadeFile::set_integers(std::string_view key, std::span<const int32_t> values) {
  set(key, MetaType::array, MetaType::i32, values.size(), bytes_of(values));
}

void MadeFile::set_numbers(std::string_view key, std::span<const float> values) {
  set(key, MetaType::array, MetaType::f32, values.size(), bytes_of(values));
}

void MadeFile::set_flags(std::string_view key, const std::vector<bool>& values) {
  std::vector<std::byte> bytes;
  for (const bool value : values) bytes.push_back(std::byte{value});
  set(key, MetaType::array, MetaType::boolean, values.size(), std::move(bytes));
}

void MadeFile::set_bytes(std::string_view key, std::string_view bytes) {
  std::vector<std::byte> held;
  append_text(held, bytes);
  set(key, MetaType::array, MetaType::u8, bytes.size(), std::move(held));
}

void MadeFile::set_texts(std::string_view key, std::span<const std::string> values) {
  std::vector<std::byte> bytes;
  for (const std::string& value : values) {
    append(bytes, uint64_t{value.size()});
    append_text(bytes, value);
  }
  set(key, MetaType::array, MetaType::string, values.size(), std::move(bytes));
}

void MadeFile::set_value(const MetaValue& value) {
  set(value.key, value.type, value.element, value.count,
      std::vector(value.bytes.begin(), value.bytes.end()));
}

void MadeFile::add_tensor(std::string name, tensor::DType type, std::span<const uint64_t> shape,
                          std::vector<MadePart> parts, std::string stored_name) {
  CHECK(shape.size() <= 4);
  const std::string& held = names_.emplace_back(std::move(name));
  if (!tensor_index_.emplace(held, tensors_.size()).second) {
    throw Error(Code::invalid_argument, fmt::format("tensor '{}' stands there twice", held));
  }
  TensorInfo& info = tensors_.emplace_back();
  info.name = held;
  info.type = type;
  info.n_dims = static_cast<uint32_t>(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) info.shape[i] = shape[i];
  if (parts.size() == 1) info.mapped = parts[0].mapped;
  uint64_t total = 0;
  for (const MadePart& part : parts) total += part.size_bytes;
  CHECK(total == info.size_bytes());
  const size_t n_parts = parts.size();
  made_.push_back({std::move(parts), std::move(stored_name), {}});
  made_.back().alive.resize(n_parts);
}

const MetaValue* MadeFile::find(std::string_view key) const {
  const auto found = value_index_.find(key);
  return found == value_index_.end() ? nullptr : &values_[found->second];
}

const TensorInfo* MadeFile::find_tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

std::string MadeFile::stored_name(std::string_view name) const {
  if (const auto found = tensor_index_.find(name); found != tensor_index_.end()) {
    return made_[found->second].stored_name;
  }
  const auto absent = absent_.find(std::string(name));
  return absent == absent_.end() ? std::string(name) : absent->second;
}

void MadeFile::note_absent(std::string name, std::string stored_name) {
  absent_.emplace(std::move(name), std::move(stored_name));
}

TensorBytes MadeFile::part(Made& made, size_t index) const {
  const MadePart& part = made.parts[index];
  if (!part.make) return {part.mapped, nullptr};
  const std::scoped_lock lock(mutex_);
  auto bytes = made.alive[index].lock();
  if (bytes == nullptr) {
    bytes = std::make_shared<const std::vector<std::byte>>(part.make());
    CHECK(bytes->size() == part.size_bytes);
    made.alive[index] = bytes;
  }
  last_ = bytes;
  return {*bytes, bytes};
}

TensorBytes MadeFile::bytes(const TensorInfo& tensor, uint64_t begin, uint64_t size) const {
  Made& made = made_[static_cast<size_t>(&tensor - tensors_.data())];
  uint64_t at = 0;  // of the part's first byte
  auto joined = std::make_shared<std::vector<std::byte>>();
  for (size_t i = 0; i < made.parts.size(); at += made.parts[i++].size_bytes) {
    const uint64_t end = at + made.parts[i].size_bytes;
    if (end <= begin || at >= begin + size) continue;
    TensorBytes whole = part(made, i);
    const uint64_t from = std::max(begin, at) - at;
    const uint64_t n = std::min(begin + size, end) - at - from;
    const auto slice = whole.view.subspan(static_cast<size_t>(from), static_cast<size_t>(n));
    if (n == size) return {slice, std::move(whole.owner)};
    joined->reserve(static_cast<size_t>(size));
    joined->insert(joined->end(), slice.begin(), slice.end());
  }
  return {*joined, joined};
}

void MadeFile::release(const TensorInfo& tensor) const {
  {
    const std::scoped_lock lock(mutex_);
    last_.reset();
  }
  for (const MadePart& part : made_[static_cast<size_t>(&tensor - tensors_.data())].parts) {
    if (!part.mapped.empty()) release_(part.mapped);
    for (const auto read : part.reads) release_(read);
  }
}

}  // namespace strata::models
