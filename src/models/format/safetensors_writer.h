// Writes the safetensors files of a folder in Hugging Face's layout, in shards, never whole in
// memory: first all heads over holes, so that the folder can already be opened, then the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/os.h"
#include "models/format/safetensors.h"

namespace strata::models {

struct SafeHead {
  std::string name;
  SafeType type = SafeType::f32;
  std::vector<uint64_t> shape;  // slowest first

  uint64_t size_bytes() const;
};

class SafetensorsWriter {
 public:
  // A shard ends before the tensor that would take it over `shard_bytes`.
  SafetensorsWriter(std::filesystem::path folder, std::vector<SafeHead> tensors,
                    uint64_t shard_bytes);

  uint64_t data_bytes() const { return data_bytes_; }
  size_t n_shards() const { return shards_.size(); }

  // model.safetensors, or model-00001-of-0000N.safetensors and their index, with holes for data.
  void lay_out();
  // The next bytes of the data, tensor after tensor in their order.
  void write(std::span<const std::byte> bytes);
  // After the last byte: all on disk. CHECKs that nothing is missing.
  void finish();

 private:
  struct Shard {
    std::string file, head;
    uint64_t data_bytes = 0;
  };

  void open(size_t shard);

  std::filesystem::path folder_;
  std::vector<Shard> shards_;
  std::string index_;  // empty: one file
  uint64_t data_bytes_ = 0;
  size_t shard_ = 0;      // that is being written
  uint64_t written_ = 0;  // bytes of its data
  std::optional<File> file_;
};

}  // namespace strata::models
