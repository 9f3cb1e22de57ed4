// A folder's vocabulary as GGUF's keys (tokenizer.ggml.*), for files that other programs read too.
#pragma once

#include <memory>
#include <string_view>

#include "models/format/made_file.h"
#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {

// Ids that end an answer beside those of the roles (end of text, of a turn, of a message). Ours:
// other programs know further ones by their names alone.
constexpr std::string_view kEndIdsKey = "tokenizer.ggml.end_token_ids";

// Sets kEndIdsKey where `facts` name such ids of `tokenizer`.
void set_gguf_ends(MadeFile& file, const TokenizerFacts& facts, const Tokenizer& tokenizer);

// Whether both give the same ids for a list of texts made to tell kinds of vocabularies apart, and
// put the same around a text.
bool same_ids(const Tokenizer& a, const Tokenizer& b);

// Sets the keys of the first kind of GGUF vocabulary that gives the ids of `tokenizer`, which was
// read from this text, on a list of texts made to tell kinds apart; and the text itself as
// tokenizer.huggingface.json, so that nothing is lost.
// Error{unimplemented}: no kind does.
void set_gguf_vocabulary(MadeFile& file, std::string_view tokenizer_json,
                         const TokenizerFacts& facts,
                         const std::shared_ptr<const Tokenizer>& tokenizer);

// The same of SentencePiece's file, of tekken.json and of tiktoken's, which are not kept.
void set_gguf_sentencepiece(MadeFile& file, std::string_view model, const TokenizerFacts& facts,
                            const std::shared_ptr<const Tokenizer>& tokenizer);
void set_gguf_tekken(MadeFile& file, std::string_view tekken_json, const TokenizerFacts& facts,
                     const std::shared_ptr<const Tokenizer>& tokenizer);
void set_gguf_tiktoken(MadeFile& file, std::string_view text, const TokenizerFacts& facts,
                       const std::shared_ptr<const Tokenizer>& tokenizer);

}  // namespace strata::models
