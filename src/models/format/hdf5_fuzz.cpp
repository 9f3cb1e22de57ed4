// libFuzzer: any bytes are the data sets of an HDF5 file under PyTorch's names or refused with
// strata::Error; they do not overlap.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "models/format/hdf5.h"
#include "models/format/pytorch_names.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> exact(data, data + size);
  try {
    auto tensors = strata::models::parse_hdf5(std::as_bytes(std::span(exact)), "fuzzed");
    size_t covered = 0;
    for (const auto& tensor : tensors) covered += tensor.bytes.size();
    if (covered > size) std::abort();
    with_pytorch_names(std::move(tensors), strata::models::pytorch_name_of_keras, "fuzzed");
  } catch (const strata::Error&) {
  }
  return 0;
}
