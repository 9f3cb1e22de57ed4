// Documents that go along with a message: the text that a model reads of a PDF or DOCX file. What
// is inside is read by a process in a sandbox (core/sandbox.h), never by the server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/os.h"

namespace strata::api {

enum class DocumentKind : uint8_t { text, pdf, docx };
std::string_view name(DocumentKind kind);

// By its content. Error{invalid_argument}: another kind, with what it is where that can be told.
DocumentKind document_kind(std::string_view bytes);

// What the reading process tells.
struct DocumentText {
  std::string text;
  std::vector<std::string> notes;  // what of the file is not in the text
};
json::object to_json_object(const DocumentText& read);

struct Document {
  DocumentKind kind = DocumentKind::text;
  DocumentText read;
  int64_t pages = 0;  // 0: the format has none
  int64_t words = 0;  // parted by white space
};

// Reads a document within the limits of limits.h. Called by threads that may wait for seconds.
// Error{invalid_argument}: no document, a damaged one, over a limit, locked by a password, without
// text; {failed_precondition}: a program or the sandbox is missing here.
using DocumentReader = std::function<Document(std::string_view bytes)>;

// Starts `program`, which is strata, as `program read-document KIND`.
Document read_document(std::string_view bytes, const std::string& program);

// What that process does: reads the document at its standard input within the sandbox and prints
// it: DocumentText as JSON for DOCX, what pdftotext prints for PDF (it does not come back).
std::string read_caged(DocumentKind kind);

}  // namespace strata::api
