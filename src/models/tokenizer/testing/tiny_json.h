// Small tokenizer.json documents, whole and easy to break.
#pragma once

#include <string>

#include "core/json.h"

namespace strata::models::testing {

// Byte-level BPE: the 256 bytes, "he", "ll", "hell", "hello", "Ġw" (256 to 260), a plain added
// token
// "[TOOL]" (261), special ones "<|start|>" (262) and "<|im_end|>" (263); <|start|> in front.
json::object tiny_json_bpe();
// WordPiece with BERT's parts: [PAD] [UNK] [CLS] [SEP] (0 to 3), "he", "##llo", "hello", "w", ",".
json::object tiny_json_word_piece();
// Unigram with Metaspace: <unk> <s> </s> (0 to 2), "▁", "▁a", "a", "b", "ab".
json::object tiny_json_unigram();

}  // namespace strata::models::testing
