// Pipelines of vocabularies that SentencePiece made: spaces are marked, the text is one piece.
#pragma once

#include <string_view>

#include "models/tokenizer/pipeline/pipeline_tokenizer.h"

namespace strata::models {

struct SentenceRules {
  std::string_view charsmap;     // SentencePiece's precompiled one; empty: none
  bool merge_spaces = false;     // runs of spaces are one, those at the ends none
  bool merges_by_score = false;  // BPE; else Unigram
  TokenId separator = -1;        // between two texts
  bool byte_fallback = false;    // what is unknown becomes bytes (Unigram; BPE always does)
  // As SentencePiece's library does it, where llama.cpp, whose ids a GGUF file means, differs.
  bool as_library = false;
};

// `vocabulary` says by its kinds what is control, user-defined and unknown, by add_space_prefix
// whether a mark goes in front, and by its ids and flags what is put around a text.
Pipeline make_sentence_pipeline(const Vocabulary& vocabulary, const SentenceRules& rules);

// Tokens that are looked for in the text as it came: control (and unknown) ones, user-defined ones.
std::vector<AddedToken> added_tokens(const Vocabulary& vocabulary);
// The first and last token as the flags ask for them; two texts with eos behind each, and
// `separator` (if any) between.
PostTemplate wrap_of(const Vocabulary& vocabulary, TokenId separator = -1);

}  // namespace strata::models
