// Writes GGUF bytes from plain data. Fields that a right file derives from others (counts,
// offsets, type ids) can be set freely, so that tests can make broken files, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/format/model_file.h"

namespace strata::models {

struct GgufBuilder {
  struct Value {
    std::string key;
    uint32_t type = 0;             // MetaType
    std::vector<std::byte> bytes;  // as in the file, lengths and element types included
    std::optional<uint64_t> key_length;
  };
  struct Tensor {
    std::string name;
    std::vector<uint64_t> shape;  // fastest first
    uint32_t type = 0;            // DType
    std::vector<std::byte> data;
    std::optional<uint64_t> offset;  // else behind the one before, aligned
    std::optional<uint32_t> n_dims;  // else shape.size()
    std::optional<uint64_t> name_length;
  };

  std::string magic = "GGUF";
  uint32_t version = 3;
  uint32_t alignment = 32;  // of the layout; write general.alignment yourself when it is another
  std::optional<uint64_t> n_values;
  std::optional<uint64_t> n_tensors;
  std::vector<Value> values;
  std::vector<Tensor> tensors;

  // Each replaces the value of that key when there is one.
  void set_u32(std::string_view key, uint32_t value);
  void set_i32(std::string_view key, int32_t value);
  void set_u64(std::string_view key, uint64_t value);
  void set_f32(std::string_view key, float value);
  void set_bool(std::string_view key, bool value);
  void set_text(std::string_view key, std::string_view value);
  void set_texts(std::string_view key, const std::vector<std::string>& values);
  void set_i32s(std::string_view key, const std::vector<int32_t>& values);
  void set_bools(std::string_view key, const std::vector<bool>& values);
  void set_f32s(std::string_view key, const std::vector<float>& values);
  void set_raw(std::string_view key, MetaType type, std::vector<std::byte> bytes);
  void set_value(const MetaValue& value);  // as another file has it
  void remove(std::string_view key);

  void add_tensor(std::string_view name, tensor::DType type, std::vector<uint64_t> shape,
                  std::vector<std::byte> data);
  // f32 weights, one a weight of the shape.
  void add_f32(std::string_view name, std::vector<uint64_t> shape,
               const std::vector<float>& weights);
  Value* find_value(std::string_view key);
  Tensor* find_tensor(std::string_view name);

  std::vector<std::byte> build() const;
};

}  // namespace strata::models
