// Any bytes as the body of a request to generate text; a refusal is an answer that clients can
// read.
#include <cstdint>
#include <cstdlib>

#include "api/dialect/dialect_common.h"
#include "api/dialect/huggingface/huggingface.h"

namespace strata::api::huggingface {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void read(const std::string& body) {
  static Gateway gateway;
  Services services;
  services.gateway = &gateway;
  try {
    const Parsed parsed = parse_generate(read_body(body), {}, services);
    require(parsed.request.raw && !parsed.request.prompt.empty() && parsed.request.n >= 1);
    require(parsed.best_of == (parsed.request.n > 1));
  } catch (const Error& error) {
    require(error.code() == Code::invalid_argument);
    parse_json(to_json(error_json(error)));
  }
}

}  // namespace
}  // namespace strata::api::huggingface

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  strata::api::huggingface::read(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
