// Any bytes as a content type and a form: parts lie inside the body, refusals are clear.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/http/multipart.h"
#include "core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  const std::string_view body = input.substr(line + 1);
  try {
    for (const api::FormPart& part : api::read_form(input.substr(0, line), body)) {
      const bool inside = part.content.data() >= body.data() &&
                          part.content.data() + part.content.size() <= body.data() + body.size();
      if (!inside || part.name.empty()) std::abort();
    }
  } catch (const Error& error) {
    if (error.code() != Code::invalid_argument) std::abort();
  }
  return 0;
}
