// Any bytes as a manifest of the store; what was read is written and read again as the same.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "models/hub/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::models;
  try {
    const Manifest read = parse_manifest({reinterpret_cast<const char*>(data), size});
    const std::string written = to_text(read);
    const Manifest again = parse_manifest(written);
    if (to_text(again) != written || again.digest() != read.digest() ||
        again.size_bytes() != read.size_bytes()) {
      std::abort();
    }
  } catch (const strata::Error& error) {
    const auto code = error.code();
    if (code != strata::Code::data_loss && code != strata::Code::failed_precondition) std::abort();
  }
  return 0;
}
