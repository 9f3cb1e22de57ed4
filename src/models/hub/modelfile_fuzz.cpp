// Any bytes as a Modelfile and as a text in one: what is written is read again as the same.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "core/utf8.h"
#include "models/hub/modelfile.h"

namespace strata::models {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool same(const ModelOverrides& a, const ModelOverrides& b) {
  if (a.messages.size() != b.messages.size()) return false;
  for (size_t i = 0; i < a.messages.size(); ++i) {
    if (a.messages[i].role != b.messages[i].role) return false;
    if (a.messages[i].content != b.messages[i].content) return false;
  }
  return a.chat_template == b.chat_template && a.system == b.system && a.parameters == b.parameters;
}

// What cannot be written is refused.
void write_and_read(const Modelfile& read) {
  std::string written;
  try {
    written = to_text(read);
  } catch (const Error& error) {
    require(error.code() == Code::failed_precondition);
    return;
  }
  const Modelfile again = parse_modelfile(written);
  require(again.from == read.from && again.licences == read.licences);
  require(same(again.overrides, read.overrides));
}

void write_and_read_text(std::string_view text) {
  Modelfile modelfile;
  modelfile.from = "a";
  modelfile.overrides.system = text;
  if (is_valid_utf8(text)) write_and_read(modelfile);
}

}  // namespace
}  // namespace strata::models

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::models;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    write_and_read_text(text);
    write_and_read(parse_modelfile(text));
  } catch (const strata::Error& error) {
    if (error.code() != strata::Code::invalid_argument) std::abort();
  }
  return 0;
}
