// TensorFlow's checkpoints ("tensor bundles"): NAME.index, a sorted table in LevelDB's form that
// says where each variable lies, and NAME.data-00000-of-00001 and so on, their bytes
// (tensorflow/core/protobuf/tensor_bundle.proto, leveldb/doc/table_format.md).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/format/safetensors.h"

namespace strata::models {

// Of one of the files, in memory.
struct BundleFile {
  std::string name;
  std::span<const std::byte> bytes;
};

// In the order of their names; views into `data`, aligned to nothing. Every checksum is compared:
// of the table's blocks and of each tensor. Variables of text (the graph of objects) are left out.
// Error{invalid_argument}: damaged, cut, a wrong checksum, shards missing, tensors that overlap or
// lie outside of their shard. Error{unimplemented}: a compressed block, a variable in slices, a
// type that is no number, big-endian files.
std::vector<SafeTensor> parse_tensor_bundle(const BundleFile& index,
                                            std::span<const BundleFile> data);

}  // namespace strata::models
