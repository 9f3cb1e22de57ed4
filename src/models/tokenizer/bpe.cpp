// Byte-pair vocabularies of GGUF: text is cut into words by the pre-tokenizer that the file names,
// each word is merged up from its symbols (bpe_model.h).
#include <optional>

#include "core/error.h"
#include "models/tokenizer/bpe_model.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/vocabulary_tokenizer.h"
#include "models/tokenizer/word_cache.h"

namespace strata::models {
namespace {

BpeRules rules_of(const PreTokenizerSpec& spec) {
  BpeRules rules;
  rules.byte_symbols = spec.byte_level;
  rules.whole_words = spec.whole_words;
  rules.newline_words = spec.newline_words;
  rules.fallback = ByteFallback::each_byte;
  rules.lost_divides = true;
  return rules;
}

class BpeTokenizer final : public VocabularyTokenizer {
 public:
  BpeTokenizer(Vocabulary read, MergeTable merges, const PreTokenizerSpec& spec, bool compose)
      : VocabularyTokenizer(std::move(read),
                            spec.byte_level ? Spelling::byte_alphabet : Spelling::space_marks),
        pre_tokenizer_(spec),
        compose_(compose),
        model_(vocabulary(), std::move(merges), rules_of(spec)) {
    if (spec.space_is_mark) boundaries_.emplace(vocabulary());
  }

  std::vector<TokenId> encode(const MarkedText& source) const override {
    const PreTokenizerSpec& spec = pre_tokenizer_.spec();
    PreparedText prepared;
    prepare_text(source, matcher(),
                 {.repair_utf8 = true,
                  .compose = compose_,
                  .space_is_mark = spec.space_is_mark,
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
  Ends words(std::string_view text, const Fragment& fragment) const {
    Ends ends = pre_tokenizer_.split(text, fragment.begin, fragment.end);
    return boundaries_ ? boundaries_->cut(text, fragment.begin, ends) : ends;
  }

  PreTokenizer pre_tokenizer_;
  bool compose_;
  BpeModel model_;
  std::optional<MarkBoundaries> boundaries_;
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
  const bool compose = file->boolean(kComposeKey).value_or(false);
  Vocabulary vocabulary = read_vocabulary(std::move(file), defaults);
  MergeTable table(vocabulary, SpelledMerges(*merges, "tokenizer.ggml.merges"));
  return std::make_shared<BpeTokenizer>(std::move(vocabulary), std::move(table), spec, compose);
}

}  // namespace strata::models
