// Unicode's normal forms (UAX 15), in time that no text makes quadratic.
#pragma once

#include "models/tokenizer/pipeline/traced_text.h"

namespace strata::models {

enum class NormalForm : uint8_t { nfc, nfd, nfkc, nfkd };

void normalize(NormalForm form, TracedText& text);

// Valid UTF-8 in the form of composed characters (NFC); at most three times as long (UAX 15, 9).
std::string composed(std::string_view text);

}  // namespace strata::models
