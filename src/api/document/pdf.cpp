#include "api/document/pdf.h"

#include <algorithm>
#include <array>

#include "api/document/limits.h"
#include "core/ascii.h"
#include "core/error.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

constexpr int kNotOpened = 1, kNotPermitted = 3;  // pdftotext(1)
constexpr size_t kMaxNamedPages = 10;

[[noreturn]] void refuse(std::string message, std::string hint = {}) {
  throw Error(Code::invalid_argument, std::move(message), std::move(hint));
}

void check_opened(int exit_code, std::string_view errors) {
  if (exit_code == 0) return;
  const bool locked =
      exit_code == kNotPermitted || errors.find("Incorrect password") != std::string_view::npos;
  if (locked) {
    refuse("the PDF file is encrypted: its text is not to be had without its password",
           "save it without a password");
  }
  if (exit_code == kNotOpened) {
    const std::string_view first = trimmed(errors.substr(0, errors.find('\n')));
    refuse(fmt::format("the PDF file is damaged: {}", first.empty() ? "it does not open" : first));
  }
  refuse(fmt::format("the PDF file cannot be read: its reader ended with code {}", exit_code));
}

std::vector<std::string_view> pages_of(std::string_view output) {
  std::vector<std::string_view> pages;
  for (size_t at = 0; at < output.size();) {
    const size_t end = std::min(output.find('\f', at), output.size());
    pages.push_back(trimmed(output.substr(at, end - at)));
    at = end + 1;
  }
  return pages;
}

// "pages 2, 3 and 40 more have no text".
std::string empty_pages_note(const std::vector<size_t>& empty) {
  std::string named;
  for (size_t i = 0; i < std::min(empty.size(), kMaxNamedPages); ++i) {
    named += (named.empty() ? "" : ", ") + std::to_string(empty[i]);
  }
  if (empty.size() > kMaxNamedPages) {
    named += fmt::format(" and {} more", empty.size() - kMaxNamedPages);
  }
  return fmt::format("pages without text (pictures or scans are not read): {}", named);
}

}  // namespace

std::vector<std::string> pdf_words() {
  static constexpr std::array kPlaces{"/usr/bin/pdftotext", "/usr/local/bin/pdftotext"};
  for (const char* place : kPlaces) {
    std::error_code ignored;
    if (fs::exists(place, ignored)) return {place, "-enc", "UTF-8", "-eol", "unix", "-", "-"};
  }
  throw Error(Code::failed_precondition, "PDF files are read by pdftotext, which is not here",
              "install it on the server: apt-get install poppler-utils poppler-data");
}

Document pdf_document(int exit_code, std::string_view output, std::string_view errors) {
  check_opened(exit_code, errors);
  if (output.size() > kMaxDocumentText) {
    refuse(fmt::format("the document's text is over the limit of {} bytes", kMaxDocumentText),
           "attach a part of it");
  }
  const auto pages = pages_of(output);
  Document document;
  document.kind = DocumentKind::pdf;
  document.pages = static_cast<int64_t>(pages.size());
  std::vector<size_t> empty;
  for (size_t i = 0; i < pages.size(); ++i) {
    if (pages[i].empty()) {
      empty.push_back(i + 1);
      continue;
    }
    if (!document.read.text.empty()) document.read.text += "\n\n";
    if (pages.size() > 1) document.read.text += fmt::format("[page {}]\n", i + 1);
    document.read.text += repair_utf8(pages[i]);
  }
  if (pages.empty()) refuse("the PDF file is damaged: it has no pages");
  if (empty.size() == pages.size()) {
    refuse(fmt::format("the PDF file has no text on its {} pages", pages.size()),
           "it seems to be scanned: pictures of text are not read");
  }
  if (!empty.empty()) document.read.notes.push_back(empty_pages_note(empty));
  if (errors.find("Syntax Error") != std::string_view::npos) {
    document.read.notes.emplace_back("the file is damaged: text may be missing");
  }
  return document;
}

}  // namespace strata::api
