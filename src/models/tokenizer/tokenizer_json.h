// Reads a tokenizer from Hugging Face's tokenizer.json and what the files beside it say of it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace strata::models {

// What stands outside of tokenizer.json.
struct AddedFact {
  TokenId id = -1;
  std::string content;
  bool special = true;  // else text that is not trusted may hold it, too
};

struct TokenizerFacts {
  std::string bos_token, eos_token, unk_token, pad_token, mask_token;  // spelled; empty: not said
  TokenId bos = -1;  // by id, where no spelling is given
  TokenId eos = -1;
  std::vector<TokenId> end_ids;  // generation stops at these, beside eos
  std::optional<bool> add_bos;   // else the post-processor decides
  std::optional<bool> add_eos;
  // tokenizer_config.json's "added_tokens_decoder", or added_tokens.json; and its lists of further
  // special tokens.
  std::vector<AddedFact> added;
  std::vector<std::string> extra;
  std::string program;         // "FILE.CLASS" of the folder's own, which is not run
  int64_t n_sentinels = 0;     // "extra_ids": <extra_id_0> and so on, from the last id backwards
  bool fairseq_order = false;  // SentencePiece's pieces stand behind the roles of fairseq's models
};

// The text of each file; empty where there is none.
struct TokenizerFiles {
  std::string_view tokenizer_config;
  std::string_view special_tokens_map;
  std::string_view added_tokens;
  std::string_view generation_config;
  std::string_view config;
};

// What is said in an earlier file holds. Errors: invalid_argument with file and field.
TokenizerFacts read_tokenizer_facts(const TokenizerFiles& files);

// `n_vocab`: rows of the model's embedding; ids without a token decode to nothing. 0: as many as
// there are tokens. Truncation and padding, which tokenizer.json may ask for, are left to the
// caller. Errors: invalid_argument (malformed), unimplemented (what is not understood, by name).
std::shared_ptr<const Tokenizer> tokenizer_from_json(std::string_view tokenizer_json,
                                                     const TokenizerFacts& facts, int32_t n_vocab);

}  // namespace strata::models
