// What the tokenizers of every kind share: the vocabulary, its special tokens, and decoding.
#pragma once

#include <memory>
#include <string>

#include "models/tokenizer/prepared_text.h"
#include "models/tokenizer/special_matcher.h"
#include "models/tokenizer/tokenizer_base.h"

namespace strata::models {

// How the spelling of a normal token stands for bytes.
enum class Spelling : uint8_t {
  byte_alphabet,  // each character is one byte (GPT-2's table)
  space_marks,    // UTF-8, with U+2581 for a space
};

class VocabularyTokenizer : public TokenizerBase {
 public:
  VocabularyTokenizer(Vocabulary vocabulary, Spelling spelling);

  std::string piece(TokenId id, bool spell_control) const override;
  std::string decode(std::span<const TokenId> ids, bool spell_control) const override;

 protected:
  const SpecialMatcher& matcher() const { return matcher_; }

 private:
  Spelling spelling_;
  SpecialMatcher matcher_;
};

// Whether text is composed (NFC) before a byte-pair vocabulary cuts it. A key of our own: llama.cpp
// has none, and reads such a vocabulary as if its text were never composed.
inline constexpr const char* kComposeKey = "tokenizer.ggml.normalizer.nfc";

// Byte-level BPE with the pre-tokenizer of this name; `default_bos`: see PreTokenizerSpec.
std::shared_ptr<const Tokenizer> make_bpe(std::shared_ptr<const ModelFile> file,
                                          std::string_view pre_tokenizer);
// SentencePiece's BPE: merges by score, bytes for what is not in the vocabulary.
std::shared_ptr<const Tokenizer> make_sentencepiece(std::shared_ptr<const ModelFile> file);

// BERT's WordPiece, and SentencePiece's Unigram (pipeline/gguf_pipelines.cpp).
std::shared_ptr<const Tokenizer> make_gguf_word_piece(std::shared_ptr<const ModelFile> file);
std::shared_ptr<const Tokenizer> make_gguf_unigram(std::shared_ptr<const ModelFile> file);

// Tokens that take the white space beside them along: not in the file, known by the model's name.
StripRules strip_rules(const Vocabulary& vocabulary);

}  // namespace strata::models
