// A ModelFile put together by the program: a folder of another format under GGUF's names, of which
// tensors lie as they are in mapped files or are made when they are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/format/model_file.h"

namespace strata::models {

// One matrix of a stack, or a whole tensor.
struct MadePart {
  uint64_t size_bytes = 0;
  std::span<const std::byte> mapped;              // as it lies; empty: made
  std::function<std::vector<std::byte>()> make;   // size_bytes of them; called from any thread
  std::vector<std::span<const std::byte>> reads;  // what make reads
};

class MadeFile final : public ModelFile {
 public:
  // `owner` holds the mapped bytes; `release` gives pages of it back to the system.
  MadeFile(std::string format, uint64_t file_bytes, std::shared_ptr<const void> owner,
           std::function<void(std::span<const std::byte>)> release);

  // Each replaces the value of that key when there is one.
  void set_integer(std::string_view key, int64_t value);  // u32, i32, or i64 where it must be
  void set_number(std::string_view key, double value);    // f32
  void set_flag(std::string_view key, bool value);
  void set_text(std::string_view key, std::string_view value);
  void set_integers(std::string_view key, std::span<const int32_t> values);
  void set_numbers(std::string_view key, std::span<const float> values);
  void set_flags(std::string_view key, const std::vector<bool>& values);
  void set_bytes(std::string_view key, std::string_view bytes);  // an array of u8
  void set_texts(std::string_view key, std::span<const std::string> values);
  void set_value(const MetaValue& value);  // as it is

  // shape: fastest first. The parts' bytes follow each other. Error{invalid_argument}: a name
  // twice.
  void add_tensor(std::string name, tensor::DType type, std::span<const uint64_t> shape,
                  std::vector<MadePart> parts, std::string stored_name);

  // What a tensor that is not there would be called where it is stored.
  void note_absent(std::string name, std::string stored_name);

  std::string format() const override { return format_; }
  uint64_t file_bytes() const override { return file_bytes_; }
  std::span<const MetaValue> values() const override { return values_; }
  std::span<const TensorInfo> tensors() const override { return tensors_; }
  const MetaValue* find(std::string_view key) const override;
  const TensorInfo* find_tensor(std::string_view name) const override;
  TensorBytes bytes(const TensorInfo& tensor, uint64_t begin, uint64_t size) const override;
  void release(const TensorInfo& tensor) const override;
  std::string stored_name(std::string_view name) const override;

 private:
  struct Made {
    std::vector<MadePart> parts;
    std::string stored_name;
    std::vector<std::weak_ptr<const std::vector<std::byte>>> alive;  // of each part, while in use
  };

  void set(std::string_view key, MetaType type, MetaType element, uint64_t count,
           std::vector<std::byte> bytes);
  TensorBytes part(Made& made, size_t index) const;

  std::string format_;
  uint64_t file_bytes_;
  std::shared_ptr<const void> owner_;
  std::function<void(std::span<const std::byte>)> release_;
  // Views into these are handed out: elements never move.
  std::deque<std::string> names_;
  std::deque<std::vector<std::byte>> payloads_;
  std::vector<MetaValue> values_;
  std::vector<TensorInfo> tensors_;
  mutable std::deque<Made> made_;  // of each tensor
  // The part that was read last, until something is released: slice after slice of one that is made
  // makes it once.
  mutable std::shared_ptr<const std::vector<std::byte>> last_;
  std::unordered_map<std::string_view, size_t> value_index_, tensor_index_;
  std::unordered_map<std::string, std::string> absent_;
  mutable std::mutex mutex_;
};

}  // namespace strata::models
