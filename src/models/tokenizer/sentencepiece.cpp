// SentencePiece's BPE flavour: spaces become U+2581, characters are merged into the token of
// highest score, leftmost first; a character that is no token becomes its bytes. The scheme: Kudo
// and Richardson 2018, "SentencePiece", and its model type "bpe".
#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/scored_bpe.h"
#include "models/tokenizer/vocabulary_tokenizer.h"
#include "models/tokenizer/word_cache.h"

namespace strata::models {
namespace {

class SentencePieceTokenizer final : public VocabularyTokenizer {
 public:
  explicit SentencePieceTokenizer(Vocabulary read)
      : VocabularyTokenizer(std::move(read), Spelling::space_marks),
        model_(vocabulary(), {.priorities = priorities_by_score(vocabulary())}),
        boundaries_(vocabulary()) {}

  std::vector<TokenId> encode(const MarkedText& source) const override {
    PreparedText prepared;
    prepare_text(source, matcher(),
                 {.repair_utf8 = false,
                  .space_is_mark = true,
                  .add_space_prefix = vocabulary().add_space_prefix},
                 prepared);
    WordScratch scratch;
    auto ids = encode_words(
        prepared,
        [&](std::string_view text, const Fragment& fragment) { return words(text, fragment); },
        model_, scratch);
    if (scratch.lost_byte >= 0) report_lost_byte(static_cast<uint8_t>(scratch.lost_byte));
    return ids;
  }

 private:
  // Cut at space marks where that changes nothing. In invalid text a mark may be the tail of what
  // promised to be a longer character, so that it is taken whole.
  Ends words(std::string_view text, const Fragment& fragment) const {
    const Ends whole = {static_cast<uint32_t>(fragment.end)};
    const auto part = text.substr(fragment.begin, fragment.end - fragment.begin);
    return is_valid_utf8(part) ? boundaries_.cut(text, fragment.begin, whole) : whole;
  }

  ScoredBpeModel model_;
  MarkBoundaries boundaries_;
};

}  // namespace

std::shared_ptr<const Tokenizer> make_sentencepiece(std::shared_ptr<const ModelFile> file) {
  VocabularyDefaults defaults;
  defaults.ids.unknown = 0;  // SentencePiece's own first three
  defaults.ids.bos = 1;
  defaults.ids.eos = 2;
  defaults.add_bos = true;
  defaults.add_space_prefix = true;
  Vocabulary vocabulary = read_vocabulary(std::move(file), defaults);
  if (vocabulary.score_bytes.empty()) {
    throw Error(Code::invalid_argument,
                "tokenizer.ggml.scores: the file has none, and merges go by score");
  }
  return std::make_shared<SentencePieceTokenizer>(std::move(vocabulary));
}

}  // namespace strata::models
