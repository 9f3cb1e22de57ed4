// libFuzzer: any bytes are a file of torch.save or refused with strata::Error; every tensor lies in
// the file.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "models/format/torch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> exact(data, data + size);
  const auto bytes = std::as_bytes(std::span(exact));
  try {
    for (const auto& tensor : strata::models::parse_torch_file(bytes, "fuzzed")) {
      if (tensor.bytes.data() < bytes.data() ||
          tensor.bytes.data() + tensor.bytes.size() > bytes.data() + size) {
        std::abort();
      }
      if (tensor.by_columns && tensor.shape.size() != 2) std::abort();
    }
  } catch (const strata::Error&) {
  }
  return 0;
}
