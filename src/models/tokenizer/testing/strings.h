// Varied texts for comparing tokenizers, made by a formula, so that the reference's program and our
// tests have the same ones without a file between them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace strata::models::testing {

// Text number `index` (the same for ever). Code, prose in many scripts, emoji, numbers, white space
// runs, look-alikes of control tokens, long words, and (every 16th) invalid UTF-8 without overlong
// forms, surrogates or code points beyond Unicode.
std::string varied_text(uint32_t index);
// FNV-1a of the ids, folded to 32 bits.
uint32_t hash_ids(std::span<const int32_t> ids);

}  // namespace strata::models::testing
