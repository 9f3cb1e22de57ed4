// The text of a DOCX file (ECMA-376, WordprocessingML) as Markdown: headings, lists, tables,
// footnotes. Formatting inside a paragraph is not kept.
#pragma once

#include "api/document/document.h"
#include "core/os.h"

namespace strata::api {

// Error{invalid_argument}: no DOCX, damaged, over a limit, without text.
DocumentText read_docx(File& archive);

}  // namespace strata::api
