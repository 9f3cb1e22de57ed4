// Text to token ids and back, as the model's own vocabulary says.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/format/model_file.h"

namespace strata::models {

using TokenId = int32_t;

// Bytes [begin, end) of a text.
struct TextRange {
  size_t begin = 0;
  size_t end = 0;
};

// A text of which some ranges come from outside (messages, tools, documents). What stands in them
// never becomes a control token, whatever it spells.
struct MarkedText {
  std::string text;
  std::vector<TextRange> untrusted;  // ascending, not overlapping
};

// Ids with a role; -1: the model has none.
struct SpecialIds {
  TokenId bos = -1;
  TokenId eos = -1;
  TokenId unknown = -1;
  TokenId padding = -1;  // of a tokenizer.json; likewise the mask
  TokenId mask = -1;
  TokenId end_of_turn = -1;
  TokenId end_of_message = -1;
  TokenId fill_prefix = -1;
  TokenId fill_suffix = -1;
  TokenId fill_middle = -1;
  TokenId fill_pad = -1;
  TokenId fill_repo = -1;
  TokenId fill_separator = -1;
};

// Two texts as a model reads them together, and which of the two each id counts to.
struct JoinedIds {
  std::vector<TokenId> ids;
  std::vector<uint8_t> segments;  // one an id, 0 or 1
};

enum class TokenKind : uint8_t { normal = 1, unknown, control, user_defined, unused, byte };

// Immutable after construction; all functions may be called from any thread.
class Tokenizer {
 public:
  // Reads tokenizer.ggml.*; `name` says which kind of vocabulary is at fault in errors.
  // Errors: unimplemented (kind or pre-tokenizer not known), invalid_argument (malformed).
  static std::shared_ptr<const Tokenizer> from_gguf(std::shared_ptr<const ModelFile> file);
  virtual ~Tokenizer() = default;

  // Ids of the text, without BOS or EOS. Control tokens spelled outside the untrusted ranges
  // become their ids; inside or across a border they are plain text. User-defined tokens (which
  // carry no control meaning) are matched everywhere.
  // Byte-level vocabularies read each invalid UTF-8 byte as U+FFFD. Bytes for which the vocabulary
  // has no token are left out, as its reference does, and the log says so once.
  // Errors: invalid_argument (bad ranges), resource_exhausted (text over tokenizer_limits.h).
  virtual std::vector<TokenId> encode(const MarkedText& text) const = 0;
  // The whole text trusted (a raw prompt, which the caller formats).
  std::vector<TokenId> encode_trusted(std::string_view text) const;
  // Nothing trusted: control tokens are spelled out.
  std::vector<TokenId> encode_text(std::string_view text) const;
  // ids with BOS in front and EOS behind where the model's flags ask for them and the ids do not
  // already have them.
  virtual std::vector<TokenId> with_bos_eos(std::vector<TokenId> ids) const;
  // Ids of two texts (of a question and a document, for a model that compares them) with what the
  // tokenizer puts before, between and behind them. Errors: unimplemented where it does not say
  // what.
  virtual JoinedIds join(std::span<const TokenId> first, std::span<const TokenId> second) const;

  // The bytes that a token stands for; control tokens are empty unless `spell_control`.
  virtual std::string piece(TokenId id, bool spell_control = false) const = 0;
  // Joins pieces; takes off the space that the vocabulary puts in front of the first word.
  virtual std::string decode(std::span<const TokenId> ids, bool spell_control = false) const = 0;

  virtual int32_t n_vocab() const = 0;
  virtual TokenKind kind(TokenId id) const = 0;
  virtual TokenId bos() const = 0;  // -1: none; likewise eos
  virtual TokenId eos() const = 0;
  virtual bool add_bos() const = 0;
  virtual bool add_eos() const = 0;
  virtual bool ends_generation(TokenId id) const = 0;
  virtual const SpecialIds& special_ids() const = 0;
  // Id of the token spelled exactly so, or -1.
  virtual TokenId find(std::string_view token) const = 0;
};

// Turns a stream of ids into text that is always whole UTF-8 characters: bytes of an unfinished
// character wait for the next id; what can no longer become one is replaced by U+FFFD.
class StreamDecoder {
 public:
  // spelled: control tokens that are written out, ascending; the others are left out.
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer,
                         std::vector<TokenId> spelled = {});
  std::string push(TokenId id);  // the text that became certain
  std::string finish();          // what was still held back

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<TokenId> spelled_;
  std::string held_;
};

}  // namespace strata::models
