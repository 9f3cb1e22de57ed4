// Any bytes as the body of OpenAI's requests; a refusal is an answer that clients can read.
#include <cstdint>
#include <cstdlib>

#include "api/dialect/openai/openai.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void read(Parsed (*parse)(const std::string&), const std::string& body) {
  try {
    const Parsed parsed = parse(body);
    require(!parsed.requests.empty() && parsed.requests.size() <= kMaxAnswers);
    for (const ChatRequest& request : parsed.requests) {
      require(!request.model.empty() && request.n >= 1 && request.n <= kMaxChoices);
    }
  } catch (const Error& error) {
    require(error.code() == Code::invalid_argument);
    parse_json(to_json(error_json(error)));
  }
}

}  // namespace
}  // namespace strata::api::openai

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::api::openai;
  const std::string body(reinterpret_cast<const char*>(data), size);
  read(parse_chat, body);
  read(parse_completion, body);
  return 0;
}
