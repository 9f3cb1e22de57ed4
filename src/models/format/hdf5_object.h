// An object of an HDF5 file: the messages of its header, and what those of a data set say
// (HDF5 File Format Specification 3.0, IV.A).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "models/format/file_refuser.h"
#include "models/format/safetensors.h"

namespace strata::models {

struct Hdf5Message {
  uint16_t kind = 0;
  bool is_shared = false;  // its content stands elsewhere
  std::span<const std::byte> bytes;
};

struct Hdf5Group {
  uint64_t tree = 0;  // address of the B-tree of its members
  uint64_t heap = 0;  // and of their names
};

class Hdf5Object {
 public:
  // `path` names it in errors.
  Hdf5Object(std::span<const std::byte> file, uint64_t address, std::string_view path,
             const FileRefuser& refuse);

  // nullopt: a data set.
  std::optional<Hdf5Group> group() const;
  SafeTensor tensor() const;
  size_t n_messages() const { return messages_.size(); }

 private:
  void read_block(std::span<const std::byte> block, uint16_t& n_left);
  const Hdf5Message* find(uint16_t kind) const;
  const Hdf5Message& need(uint16_t kind, std::string_view what) const;
  std::vector<uint64_t> shape() const;
  SafeType type() const;
  std::span<const std::byte> data(uint64_t size) const;

  std::span<const std::byte> file_;
  std::string_view path_;
  const FileRefuser& refuse_;
  std::vector<Hdf5Message> messages_;
  std::vector<std::span<const std::byte>> blocks_;  // that messages point to
};

// `size` bytes at an address.
std::span<const std::byte> hdf5_bytes(std::span<const std::byte> file, uint64_t address,
                                      uint64_t size, std::string_view what,
                                      const FileRefuser& refuse);

}  // namespace strata::models
