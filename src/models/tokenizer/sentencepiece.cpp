// SentencePiece's BPE flavour: spaces become U+2581, characters are merged into the token of
// highest score, leftmost first; a character that is no token becomes its bytes. The scheme: Kudo
// and Richardson 2018, "SentencePiece", and its model type "bpe".
#include <bit>

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/vocabulary_tokenizer.h"
#include "models/tokenizer/word_cache.h"
#include "models/tokenizer/word_merger.h"

namespace strata::models {
namespace {

// Orders float32 scores as unsigned numbers, the highest score first.
uint32_t priority_of(float score) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);  // -0 is 0
  const uint32_t ascending = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
  return ~ascending;  // never kNoMerge: that would be a NaN, which is refused at load
}

// The length that the first byte promises, whether or not the bytes that follow keep it. What
// follows an invalid byte thereby becomes bytes as well; the ids are those of the reference.
size_t promised_length(uint8_t first) {
  if (first < 0xC0) return 1;
  if (first < 0xE0) return 2;
  return first < 0xF0 ? 3 : 4;
}

class SentencePieceTokenizer final : public VocabularyTokenizer {
 public:
  explicit SentencePieceTokenizer(Vocabulary read)
      : VocabularyTokenizer(std::move(read), Spelling::space_marks), boundaries_(vocabulary()) {}

  std::vector<TokenId> encode(const MarkedText& source) const override {
    PreparedText prepared;
    prepare_text(source, matcher(),
                 {.repair_utf8 = false,
                  .space_is_mark = true,
                  .add_space_prefix = vocabulary().add_space_prefix},
                 prepared);
    std::vector<TokenId> ids;
    ids.reserve(prepared.text.size() / 3 + prepared.fragments.size());
    Work work{prepared.text, ids, {}, {}};
    WordCache cache(prepared.text, ids);
    for (const Fragment& fragment : prepared.fragments) {
      if (fragment.token >= 0) {
        ids.push_back(fragment.token);
        continue;
      }
      size_t begin = fragment.begin;
      for (const size_t end : words(prepared.text, fragment)) {
        cache.append(begin, end, [&](size_t from, size_t to) { encode_word(from, to, work); });
        begin = end;
      }
    }
    return ids;
  }

 private:
  struct Work {
    std::string_view text;
    std::vector<TokenId>& ids;
    std::vector<Symbol> symbols;
    WordMerger merger;
  };

  // Cut at space marks where that changes nothing. In invalid text a mark may be the tail of what
  // promised to be a longer character, so that it is taken whole.
  Ends words(std::string_view text, const Fragment& fragment) const {
    const Ends whole = {static_cast<uint32_t>(fragment.end)};
    const auto part = text.substr(fragment.begin, fragment.end - fragment.begin);
    return is_valid_utf8(part) ? boundaries_.cut(text, fragment.begin, whole) : whole;
  }

  TokenId find_text(std::string_view text) const {
    if (text.size() > vocabulary().longest_token) return -1;
    const TokenId id = vocabulary().table.find(text);
    return id >= 0 && vocabulary().is_text(id) ? id : -1;
  }

  void encode_word(size_t begin, size_t end, Work& work) const {
    work.symbols.clear();
    for (size_t at = begin; at < end;) {
      const auto first = static_cast<uint8_t>(work.text[at]);
      const size_t length = std::min(promised_length(first), end - at);
      work.symbols.push_back({find_text(work.text.substr(at, length)), static_cast<uint32_t>(at),
                              static_cast<uint32_t>(length)});
      at += length;
    }
    work.merger.merge(work.symbols, [&](const Symbol& left, const Symbol& right) -> PairMerge {
      const TokenId id = find_text(work.text.substr(left.begin, left.length + right.length));
      return id < 0 ? PairMerge{} : PairMerge{priority_of(vocabulary().score(id)), id};
    });
    for (const Symbol& symbol : work.symbols) {
      if (symbol.id >= 0) {
        work.ids.push_back(symbol.id);
      } else {
        append_bytes(work.text.substr(symbol.begin, symbol.length), work.ids);
      }
    }
  }

  void append_bytes(std::string_view text, std::vector<TokenId>& ids) const {
    const TokenId unknown = vocabulary().ids.unknown;
    for (const char c : text) {
      TokenId id = vocabulary().byte_ids[static_cast<uint8_t>(c)];
      if (id < 0) id = find_text({&c, 1});
      if (id < 0 && unknown >= 0 && kind(unknown) == TokenKind::unknown) id = unknown;
      if (id >= 0) {
        ids.push_back(id);
      } else {
        report_lost_byte(static_cast<uint8_t>(c));
      }
    }
  }

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
