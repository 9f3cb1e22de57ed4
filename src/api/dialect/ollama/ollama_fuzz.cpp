// Any bytes as the body of Ollama's requests; a refusal is an answer that clients can read.
#include <cstdint>
#include <cstdlib>

#include "api/dialect/ollama/ollama.h"

namespace strata::api::ollama {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void read(Asked (*parse)(const std::string&), const std::string& body) {
  try {
    const Asked asked = parse(body);
    require(!asked.request.model.empty() && asked.request.n == 1);
    require(!asked.unload || asked.request.load_only);
  } catch (const Error& error) {
    require(error.code() == Code::invalid_argument);
    parse_json(to_json(error_json(error)));
  }
}

}  // namespace
}  // namespace strata::api::ollama

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::api::ollama;
  const std::string body(reinterpret_cast<const char*>(data), size);
  read(parse_chat, body);
  read(parse_generate, body);
  return 0;
}
