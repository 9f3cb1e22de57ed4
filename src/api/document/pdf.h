// The text of a PDF file, from what pdftotext (Poppler) has printed of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/document/document.h"

namespace strata::api {

// How pdftotext is called: PDF at its standard input, pages on its output, a form feed behind each.
// Error{failed_precondition} where it is not installed.
std::vector<std::string> pdf_words();

// `output` and `errors` of a call that has ended with `exit_code`. With more than one page, each
// begins with a line "[page N]". Error{invalid_argument}: locked, damaged, over a limit, no text.
Document pdf_document(int exit_code, std::string_view output, std::string_view errors);

}  // namespace strata::api
