// A brick: one step on the way from the spellings of tokens to text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/tokenizer/pipeline/json_place.h"
#include "models/tokenizer/split_regex.h"

namespace strata::models {

struct Spelled {
  std::string text;
  bool verbatim = false;  // of an added token: stands for itself in any alphabet
  size_t limit = 0;       // the steps may not make more bytes of it; the decoder sets it
};

struct Decoding {
  bool whole = false;  // the tokens are all there are; else one from the middle of a text, alone
  RegexBudget regex;   // of all steps
};

class DecoderStep {
 public:
  virtual ~DecoderStep() = default;
  // Changes the spellings of tokens that follow each other. Errors: invalid_argument where a token
  // grows over its limit, resource_exhausted where a pattern takes too many steps.
  virtual void apply(std::vector<Spelled>& tokens, Decoding& decoding) const = 0;
  // Joins all tokens: what comes behind sees one text, so that it has no part in a token alone.
  virtual bool joins() const { return false; }
};

class Decoder {
 public:
  Decoder() = default;
  // Without steps, tokens are joined with spaces, as the library does.
  explicit Decoder(std::vector<std::unique_ptr<const DecoderStep>> steps)
      : steps_(std::move(steps)) {}
  // Errors: unimplemented for what is not known, invalid_argument for too many steps.
  static Decoder read(const JsonPlace& place);

  // Errors of both: as of DecoderStep::apply().
  std::string decode(std::vector<Spelled> tokens) const;
  std::string piece(Spelled token) const;

 private:
  std::vector<std::unique_ptr<const DecoderStep>> steps_;
};

std::unique_ptr<const DecoderStep> make_word_piece_decoder(std::string prefix, bool cleanup);
std::unique_ptr<const DecoderStep> make_byte_fallback_decoder();
std::unique_ptr<const DecoderStep> make_metaspace_decoder(std::string mark, bool drop_first);

}  // namespace strata::models
