// Anything as the body of Gemini's requests: a request comes out, or an error that is the client's.
#include <cstdlib>
#include <string>

#include "api/dialect/gemini/gemini.h"

namespace strata::api::gemini {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace
}  // namespace strata::api::gemini

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::api;
  const std::string body(reinterpret_cast<const char*>(data), size);
  try {
    const gemini::Parsed parsed = gemini::parse_generate("m", body);
    gemini::require(parsed.request.n >= 1 && !parsed.request.conversation.messages.empty());
  } catch (const strata::Error& error) {
    gemini::require(error.code() == strata::Code::invalid_argument);
    strata::parse_json(strata::to_json(gemini::error_json(error)));
  }
  return 0;
}
