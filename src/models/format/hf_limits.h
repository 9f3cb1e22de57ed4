// What a folder in Hugging Face's layout may be at most.
#pragma once

#include <cstddef>

namespace strata::models {

constexpr size_t kMaxSafetensorsHeader = 100u << 20;  // as the format's own reader has it
constexpr size_t kMaxHfDimensions = 8;
constexpr size_t kMaxHfShards = 4096;
// Of PyTorch's files. A tensor takes about 20 values, 200 bytes and two members of the archive
// (with its name's length); mixtures of experts have some 60,000 tensors.
constexpr size_t kMaxPickle = 64u << 20;
constexpr size_t kMaxPickleValues = 2u << 20;
constexpr size_t kMaxPickleDepth = 100;  // of what stands open at once
constexpr size_t kMaxZipMembers = 500'000;
constexpr size_t kMaxZipDirectory = 128u << 20;
// Of TensorFlow's checkpoints. A name may repeat nearly all of the one before with a byte.
constexpr size_t kMaxBundleKey = 4096;
constexpr size_t kMaxBundleTensors = 500'000;
constexpr size_t kMaxBundleNames = 64u << 20;  // bytes
// Of Keras's files: a group for each layer and scope, some 20 groups deep at most.
constexpr size_t kMaxHdf5Nodes = 500'000;
constexpr size_t kMaxHdf5Depth = 32;
constexpr size_t kMaxHdf5Messages = 4'000'000;  // of all objects, which may share pieces
constexpr size_t kMaxHdf5Blocks = 256;          // pieces of an object's header
constexpr size_t kMaxHdf5Name = 80;             // what printable() leaves whole
constexpr size_t kMaxHfConfig = 16u << 20;      // config.json and its like
constexpr size_t kMaxHfTokenizer = 256u << 20;  // tokenizer.json: Gemma's has 33 MB

}  // namespace strata::models
