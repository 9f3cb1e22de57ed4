// Byte-pair encoding with ranked merges: text is cut into words by the model's pre-tokenizer, a
// word into its bytes (or, where tokens are spelled in UTF-8, characters), which are merged. The
// scheme: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", 2.2.
#include <optional>

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/merge_table.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/vocabulary_tokenizer.h"
#include "models/tokenizer/word_cache.h"
#include "models/tokenizer/word_merger.h"

namespace strata::models {
namespace {

class BpeTokenizer final : public VocabularyTokenizer {
 public:
  BpeTokenizer(Vocabulary read, MergeTable merges, const PreTokenizerSpec& spec)
      : VocabularyTokenizer(std::move(read),
                            spec.byte_level ? Spelling::byte_alphabet : Spelling::space_marks),
        pre_tokenizer_(spec),
        merges_(std::move(merges)) {
    if (spec.space_is_mark) boundaries_.emplace(vocabulary());
    for (size_t byte = 0; byte < 256; ++byte) {
      const std::string ascii(1, static_cast<char>(byte));
      const TokenId id = vocabulary().table.find(spec.byte_level ? byte_alphabet()[byte] : ascii);
      byte_ids_[byte] = id >= 0 && vocabulary().is_text(id) ? id : -1;
    }
  }

  std::vector<TokenId> encode(const MarkedText& source) const override {
    const PreTokenizerSpec& spec = pre_tokenizer_.spec();
    PreparedText prepared;
    prepare_text(source, matcher(),
                 {.repair_utf8 = true,
                  .space_is_mark = spec.space_is_mark,
                  .add_space_prefix = vocabulary().add_space_prefix},
                 prepared);
    std::vector<TokenId> ids;
    ids.reserve(prepared.text.size() / 3 + prepared.fragments.size());
    Work work{prepared.text, ids, {}, {}, {}};
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
  // What one encode uses again for each word.
  struct Work {
    std::string_view text;
    std::vector<TokenId>& ids;
    std::vector<Symbol> symbols;
    std::string spelling;
    WordMerger merger;
  };

  Ends words(std::string_view text, const Fragment& fragment) const {
    Ends ends = pre_tokenizer_.split(text, fragment.begin, fragment.end);
    return boundaries_ ? boundaries_->cut(text, fragment.begin, ends) : ends;
  }

  // The id of a word that is taken whole, or -1.
  TokenId whole_word(std::string_view word, Work& work) const {
    const PreTokenizerSpec& spec = pre_tokenizer_.spec();
    const bool newlines =
        spec.newline_words && word.find_first_not_of('\n') == std::string_view::npos;
    if (!spec.whole_words && !newlines) return -1;
    if (spec.byte_level) {
      work.spelling.clear();
      for (const char c : word) work.spelling += byte_alphabet()[static_cast<uint8_t>(c)];
      word = work.spelling;
    }
    const TokenId id = word.size() <= vocabulary().longest_token ? find(word) : -1;
    return id >= 0 && vocabulary().is_text(id) ? id : -1;
  }

  // Symbols of text[begin, end) that are tokens of their own; bytes without a token are left out.
  void add_symbols(size_t begin, size_t end, Work& work) const {
    const bool byte_level = pre_tokenizer_.spec().byte_level;
    for (size_t at = begin; at < end;) {
      const auto byte = static_cast<uint8_t>(work.text[at]);
      const size_t length = byte_level || byte < 0x80 ? 1 : utf8_length_at(work.text, at);
      TokenId id = byte_ids_[byte];
      if (length > 1) {
        id = find(work.text.substr(at, length));
        if (id >= 0 && !vocabulary().is_text(id)) id = -1;
      }
      if (id >= 0 || byte_level) {
        add_symbol(id, byte, at, length, work);
      } else {
        for (size_t i = at; i < at + length; ++i) {
          const auto part = static_cast<uint8_t>(work.text[i]);
          add_symbol(vocabulary().byte_ids[part], part, i, 1, work);
        }
      }
      at += length;
    }
  }

  void add_symbol(TokenId id, uint8_t byte, size_t at, size_t length, Work& work) const {
    if (id < 0) report_lost_byte(byte);
    work.symbols.push_back({id, static_cast<uint32_t>(at), static_cast<uint32_t>(length)});
  }

  void encode_word(size_t begin, size_t end, Work& work) const {
    const TokenId whole = whole_word(work.text.substr(begin, end - begin), work);
    if (whole >= 0) {
      work.ids.push_back(whole);
      return;
    }
    work.symbols.clear();
    add_symbols(begin, end, work);
    work.merger.merge(work.symbols, [this](const Symbol& left, const Symbol& right) -> PairMerge {
      const MergeTable::Entry* entry = merges_.find(left.id, right.id);
      return entry == nullptr ? PairMerge{} : PairMerge{entry->rank, entry->result};
    });
    for (const Symbol& symbol : work.symbols) {
      if (symbol.id >= 0) work.ids.push_back(symbol.id);
    }
  }

  PreTokenizer pre_tokenizer_;
  MergeTable merges_;
  std::optional<MarkBoundaries> boundaries_;
  std::array<TokenId, 256> byte_ids_{};  // of the symbols that are one byte long
};

}  // namespace

std::shared_ptr<const Tokenizer> make_bpe(std::shared_ptr<const ModelFile> file,
                                          std::string_view pre_tokenizer) {
  const PreTokenizerSpec& spec = find_pre_tokenizer(pre_tokenizer);
  VocabularyDefaults defaults;
  defaults.add_bos = spec.add_bos;
  const auto merges = file->texts("tokenizer.ggml.merges");
  if (!merges) {
    throw Error(Code::invalid_argument,
                "tokenizer.ggml.merges: the file has none, and a "
                "byte-pair vocabulary cannot do without");
  }
  Vocabulary vocabulary = read_vocabulary(std::move(file), defaults);
  MergeTable table(vocabulary, *merges);
  return std::make_shared<BpeTokenizer>(std::move(vocabulary), std::move(table), spec);
}

}  // namespace strata::models
