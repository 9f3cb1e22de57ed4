// A brick: one change that text goes through before it is cut into words.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/pipeline/charsmap.h"
#include "models/tokenizer/pipeline/json_place.h"
#include "models/tokenizer/pipeline/traced_text.h"

namespace strata::models {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // `text` is valid UTF-8 and stays so. Thread-safe. Errors: resource_exhausted.
  virtual void apply(TracedText& text) const = 0;
};

using Normalizers = std::vector<std::unique_ptr<const Normalizer>>;

// Appends what the JSON says, sequences laid flat. Errors: unimplemented for what is not known.
void read_normalizers(const JsonPlace& place, Normalizers& out);

struct BertRules {
  bool clean_text = true;
  bool separate_han = true;  // spaces around each Han character
  bool strip_accents = true;
  bool lowercase = true;
};
std::unique_ptr<const Normalizer> make_bert_normalizer(const BertRules& rules);

enum class CharsmapUse : uint8_t {
  graphemes,  // as the `tokenizers` library: a whole grapheme of up to 5 bytes, else each character
  longest,    // as SentencePiece: the longest prefix, else the character as it is
};
std::unique_ptr<const Normalizer> make_charsmap_normalizer(Charsmap charsmap, CharsmapUse use);
std::unique_ptr<const Normalizer> make_replace(std::string_view text, std::string_view content);

}  // namespace strata::models
