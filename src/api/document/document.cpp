#include "api/document/document.h"

#include "api/document/docx.h"
#include "api/document/limits.h"
#include "api/document/pdf.h"
#include "core/error.h"
#include "core/sandbox.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

constexpr SandboxLimits kCage{.memory_bytes = kDocumentMemory, .cpu_seconds = kDocumentCpuSeconds};
constexpr int kKilled = 128 + 9, kOutOfTime = 128 + 24;  // SIGKILL, SIGXCPU

[[noreturn]] void refuse(std::string message, std::string hint = {}) {
  throw Error(Code::invalid_argument, std::move(message), std::move(hint));
}

int64_t words_in(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space && !inside) ++words;
    inside = !space;
  }
  return words;
}

// How a process within the limits is started and what it printed; its own errors are the caller's.
ProcessResult run_caged(std::string_view bytes, const std::string& program, DocumentKind kind) {
  const File input = File::in_memory(bytes);
  ProcessOptions options;
  options.inherits_environment = false;
  options.input = &input;
  options.max_output_bytes = 2 * kMaxDocumentText + kMaxDocumentErrors;  // as JSON it is longer
  options.timeout_ms = kDocumentTimeoutMs;
  const auto result = [&] {
    try {
      return run_process({program, "read-document", std::string(name(kind))}, options);
    } catch (const Error& error) {
      if (error.code() != Code::deadline_exceeded) throw;
      refuse(fmt::format("the document was not read within {} s", kDocumentTimeoutMs / 1000));
    }
  }();
  if (result.exit_code == kKilled || result.exit_code == kOutOfTime) {
    refuse(fmt::format("the document was not read within {} s of computing", kDocumentCpuSeconds));
  }
  return result;
}

// The two lines in which the command line tells an error, as an error again.
[[noreturn]] void rethrow(const ProcessResult& result) {
  const auto line_of = [&](std::string_view label) {
    const size_t at = result.errors.find(label);
    if (at == std::string::npos) return std::string();
    const size_t from = at + label.size();
    return result.errors.substr(from, result.errors.find('\n', from) - from);
  };
  const std::string message = line_of("error: ");
  const bool here = result.exit_code == exit_code(Code::failed_precondition);
  throw Error(here ? Code::failed_precondition : Code::invalid_argument,
              message.empty()
                  ? fmt::format("the document cannot be read: its reader ended with code {}",
                                result.exit_code)
                  : message,
              line_of("hint: "));
}

Document docx_document(const ProcessResult& result) {
  const json::value printed = parse_json(result.output);
  Document document;
  document.kind = DocumentKind::docx;
  document.read.text = printed.at("text").as_string();
  for (const auto& note : printed.at("notes").as_array()) {
    document.read.notes.emplace_back(note.as_string());
  }
  return document;
}

Document text_document(std::string_view bytes) {
  if (bytes.size() > kMaxDocumentText) {
    refuse(fmt::format("the text has {} bytes, the limit is {}", bytes.size(), kMaxDocumentText),
           "attach a part of it");
  }
  Document document;
  document.read.text = bytes;
  return document;
}

}  // namespace

std::string_view name(DocumentKind kind) {
  switch (kind) {
    case DocumentKind::pdf:
      return "pdf";
    case DocumentKind::docx:
      return "docx";
    case DocumentKind::text:
      break;
  }
  return "text";
}

DocumentKind document_kind(std::string_view bytes) {
  constexpr size_t kPdfHeaderWithin = 1024;  // readers take junk before it
  const bool is_text =
      !bytes.empty() && bytes.find('\0') == std::string_view::npos && is_valid_utf8(bytes);
  const size_t header = bytes.substr(0, kPdfHeaderWithin).find("%PDF-");
  if (header == 0 || (header != std::string_view::npos && !is_text)) return DocumentKind::pdf;
  if (bytes.starts_with("PK\x03\x04")) return DocumentKind::docx;
  if (is_text) return DocumentKind::text;
  if (bytes.starts_with("\xD0\xCF\x11\xE0")) {
    refuse("the file is of an older Office format, or encrypted",
           "save it as DOCX or PDF, without a password");
  }
  refuse(bytes.empty() ? "the file is empty" : "the file is neither PDF, DOCX nor UTF-8 text");
}

json::object to_json_object(const DocumentText& read) {
  json::array notes;
  for (const auto& note : read.notes) notes.emplace_back(note);
  return {{"text", read.text}, {"notes", std::move(notes)}};
}

Document read_document(std::string_view bytes, const std::string& program) {
  const DocumentKind kind = document_kind(bytes);
  Document document;
  if (kind == DocumentKind::text) {
    document = text_document(bytes);
  } else {
    if (kind == DocumentKind::pdf) pdf_words();  // tells where it is missing
    const ProcessResult result = run_caged(bytes, program, kind);
    const bool is_pdf = kind == DocumentKind::pdf;
    // pdftotext has errors of its own; what begins so is said by us before it starts.
    if (result.exit_code != 0 && (!is_pdf || result.errors.starts_with("error: "))) rethrow(result);
    document = is_pdf ? pdf_document(result.exit_code, result.output, result.errors)
                      : docx_document(result);
  }
  document.words = words_in(document.read.text);
  return document;
}

std::string read_caged(DocumentKind kind) {
  if (kind == DocumentKind::pdf) exec_in_sandbox(pdf_words(), kCage);
  File input = File::standard_input();
  enter_sandbox(kCage, input.descriptor());
  return to_json(to_json_object(read_docx(input)));
}

}  // namespace strata::api
