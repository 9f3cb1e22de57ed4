// Anything as the body of Anthropic's requests: a request comes out, or an error that is the
// client's.
#include <cstdlib>
#include <string>

#include "api/dialect/anthropic/anthropic.h"

namespace strata::api::anthropic {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

template <typename Parse>
void read(Parse parse, const std::string& body) {
  try {
    parse(body);
  } catch (const Error& error) {
    require(error.code() == Code::invalid_argument);
    parse_json(to_json(error_json(error)));
  }
}

}  // namespace
}  // namespace strata::api::anthropic

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::api::anthropic;
  const std::string body(reinterpret_cast<const char*>(data), size);
  read(
      [](const std::string& text) {
        const Parsed parsed = parse_message(text);
        require(!parsed.request.conversation.messages.empty());
      },
      body);
  read([](const std::string& text) { require(!parse_count(text).conversation.messages.empty()); },
       body);
  return 0;
}
