// The tensors that a quantised weight is stored in, found with checks; errors name file and tensor.
#pragma once

#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/error.h"
#include "models/format/gguf_part.h"
#include "models/format/hf_folder.h"

namespace strata::models {

class Stored {
 public:
  explicit Stored(const HfFolder& folder) : folder_(folder) {}

  // Error{invalid_argument}: its bytes are those of the transposed matrix.
  const SafeTensor* find(const std::string& name) const;
  // Error{invalid_argument}: it is not there, though `beside` is.
  const SafeTensor& need(const std::string& name, const SafeTensor& beside) const;
  void expect_type(const SafeTensor& tensor, std::initializer_list<SafeType> types) const;
  void expect_shape(const SafeTensor& tensor, const std::vector<uint64_t>& shape,
                    std::string_view why) const;

  template <typename... Args>
  [[noreturn]] void refuse(const SafeTensor& tensor, fmt::format_string<Args...> format,
                           Args&&... args) const {
    throw Error(
        Code::invalid_argument,
        fmt::format("{} {}", named(tensor), fmt::format(format, std::forward<Args>(args)...)),
        "the files are damaged, or config.json belongs to another model: fetch it again");
  }
  // "model.safetensors: tensor 'x.scales'".
  std::string named(const SafeTensor& tensor) const;

 private:
  const HfFolder& folder_;
};

// Number i of a tensor in F32, F16, BF16, or an exponent: F8_E8M0, and U8 that means it.
float number_at(const SafeTensor& tensor, uint64_t i);

// Word i of a tensor of 32-bit integers. Files align them to nothing.
inline uint32_t word_at(std::span<const std::byte> bytes, uint64_t i) {
  uint32_t word;
  std::memcpy(&word, bytes.data() + i * sizeof word, sizeof word);
  return word;
}

// Without the ending; nullopt: it has another.
std::optional<std::string> without(std::string_view name, std::string_view ending);

}  // namespace strata::models
