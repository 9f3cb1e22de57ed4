// Any bytes as the body of llama.cpp's requests; a refusal is an answer that clients can read.
#include <cstdint>
#include <cstdlib>

#include "api/dialect/dialect_common.h"
#include "api/dialect/llamacpp/llamacpp.h"

namespace strata::api::llamacpp {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void read(Parsed (*parse)(const json::value&, const Services&, const std::string&),
          const std::string& body) {
  static Gateway gateway;
  Services services;
  services.gateway = &gateway;
  try {
    const Parsed parsed = parse(read_body(body), services, "");
    require(!parsed.requests.empty());
    for (const ChatRequest& request : parsed.requests) require(request.raw && request.n >= 1);
  } catch (const Error& error) {
    require(error.code() == Code::invalid_argument);
    parse_json(to_json(error_json(error)));
  }
}

}  // namespace
}  // namespace strata::api::llamacpp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::api::llamacpp;
  const std::string body(reinterpret_cast<const char*>(data), size);
  read(parse_completion, body);
  read(parse_infill, body);
  return 0;
}
