// Small vocabularies, whole and easy to break, for tests and the fuzzer.
#pragma once

#include "models/format/gguf_builder.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::models::testing {

// Byte-level BPE: the 256 bytes, then "he", "ll", "hell", "hello", " w", a user-defined "[TOOL]",
// and the control tokens <|start|>, <|im_end|>.
GgufBuilder tiny_bpe();
// SentencePiece: <unk>, <s>, </s>, the 256 byte tokens, U+2581, a..z, "▁a", "ab", "▁ab", "abc".
GgufBuilder tiny_sentencepiece();
// Opens what a builder made; the bytes live as long as the tokenizer.
std::shared_ptr<const Tokenizer> open(const GgufBuilder& builder);

}  // namespace strata::models::testing
