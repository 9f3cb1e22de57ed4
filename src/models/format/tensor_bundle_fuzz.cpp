// libFuzzer: any bytes are a TensorFlow checkpoint (the index's length as u32, the index, a data
// file) under PyTorch's names or refused with strata::Error; its variables do not overlap.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/error.h"
#include "models/format/pytorch_names.h"
#include "models/format/tensor_bundle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint32_t index_size = 0;
  if (size < sizeof index_size) return 0;
  std::memcpy(&index_size, data, sizeof index_size);
  data += sizeof index_size;
  size -= sizeof index_size;
  const size_t split = std::min<size_t>(index_size, size);
  const std::vector<uint8_t> index(data, data + split);
  const std::vector<uint8_t> shard(data + split, data + size);
  const strata::models::BundleFile file{"fuzzed.data-00000-of-00001",
                                        std::as_bytes(std::span(shard))};
  try {
    auto tensors = strata::models::parse_tensor_bundle(
        {"fuzzed.index", std::as_bytes(std::span(index))}, std::span(&file, 1));
    size_t covered = 0;
    for (const auto& tensor : tensors) covered += tensor.bytes.size();
    if (covered > shard.size()) std::abort();
    with_pytorch_names(std::move(tensors), strata::models::pytorch_name_of_variable, "fuzzed");
  } catch (const strata::Error&) {
  }
  return 0;
}
