// libFuzzer: any bytes are the tensors of a safetensors file or refused with strata::Error.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "models/format/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = std::byte{data[i]};
  try {
    size_t covered = 0;
    for (const auto& tensor : strata::models::parse_safetensors(bytes, "fuzzed")) {
      covered += tensor.bytes.size();
    }
    if (covered > size) std::abort();  // tensors do not overlap
  } catch (const strata::Error&) {
  }
  return 0;
}
