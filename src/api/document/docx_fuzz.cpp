// Any bytes as the parts of a DOCX file: styles, numbering and document, parted by NUL.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/document/docx_body.h"
#include "api/document/limits.h"
#include "core/error.h"
#include "core/utf8.h"

namespace {

void feed(std::string_view& parts, strata::api::XmlSink& sink) {
  const std::string_view part = parts.substr(0, parts.find('\0'));
  parts.remove_prefix(std::min(part.size() + 1, parts.size()));
  if (part.empty()) return;
  strata::api::XmlReader reader(sink, "part");
  reader.feed(std::as_bytes(std::span(part)));
  reader.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view parts(reinterpret_cast<const char*>(data), size);
  strata::api::DocxStyles styles;
  strata::api::DocxNumbering numbering;
  std::string text;
  strata::api::DocxLeftOut left_out;
  strata::api::DocxBody body(styles, numbering, text, left_out);
  try {
    feed(parts, styles);
    feed(parts, numbering);
    feed(parts, body);
  } catch (const strata::Error& error) {
    if (error.code() != strata::Code::invalid_argument) std::abort();
  }
  if (!strata::is_valid_utf8(text)) std::abort();
  return 0;
}
