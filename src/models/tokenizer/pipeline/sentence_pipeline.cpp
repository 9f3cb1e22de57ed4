#include "models/tokenizer/pipeline/sentence_pipeline.h"

#include <algorithm>

#include "models/tokenizer/pipeline/word_models.h"
#include "models/tokenizer/prepared_text.h"
#include "models/tokenizer/scored_bpe.h"

namespace strata::models {
namespace {

// Spaces become marks; runs of them one, those at the ends none; a mark goes in front.
class SpaceMarks final : public Normalizer {
 public:
  SpaceMarks(bool merge, bool prepend) : merge_(merge), prepend_(prepend) {}

  void apply(TracedText& text) const override {
    TextEdit edit(text);
    const std::string_view old = edit.old();
    bool in_word = false, prepended = false;
    for (size_t i = 0; i < old.size(); ++i) {
      if (old[i] == ' ') {
        in_word = false;
        if (!merge_) edit.put(kSpaceMark, i, i + 1);
        continue;
      }
      if (!in_word && (merge_ || (prepend_ && !prepended))) {
        edit.put(kSpaceMark, i, i);
        prepended = true;
      }
      in_word = true;
      edit.keep(i, i + 1);
    }
  }

 private:
  bool merge_, prepend_;
};

std::unique_ptr<const WordModel> make_model(const Vocabulary& vocabulary,
                                            const SentenceRules& rules) {
  if (rules.merges_by_score) {
    return std::make_unique<ScoredBpeModel>(
        vocabulary, ScoredBpeRules{.priorities = priorities_by_score(vocabulary)});
  }
  UnigramRules unigram;
  double lowest = 0;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const auto score = static_cast<double>(vocabulary.score(id));
    if (vocabulary.kind(id) == TokenKind::normal) lowest = std::min(lowest, score);
    // What a user defined is always taken.
    unigram.scores.push_back(vocabulary.kind(id) == TokenKind::user_defined ? 0 : score);
  }
  unigram.lowest = lowest;
  unigram.unknown = vocabulary.ids.unknown;
  unigram.byte_fallback = rules.byte_fallback;
  return make_unigram(vocabulary, std::move(unigram));
}

}  // namespace

std::vector<AddedToken> added_tokens(const Vocabulary& vocabulary) {
  std::vector<AddedToken> added;
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    const TokenKind kind = vocabulary.kinds[i];
    const bool special = kind == TokenKind::control || kind == TokenKind::unknown;
    if (!special && kind != TokenKind::user_defined) continue;
    AddedToken token;
    token.id = static_cast<TokenId>(i);
    token.content = vocabulary.tokens[i];
    token.special = special;
    added.push_back(std::move(token));
  }
  return added;
}

PostTemplate wrap_of(const Vocabulary& vocabulary, TokenId separator) {
  using Kind = TemplatePart::Kind;
  PostTemplate wrap;
  const auto put = [](std::vector<TemplatePart>& parts, bool wanted, TokenId id, uint8_t segment) {
    if (wanted && id >= 0) parts.push_back({Kind::special, {id}, segment});
  };
  const SpecialIds& ids = vocabulary.ids;
  put(wrap.single, vocabulary.add_bos, ids.bos, 0);
  wrap.single.push_back({Kind::first, {}, 0});
  put(wrap.single, vocabulary.add_eos, ids.eos, 0);
  wrap.pair = wrap.single;
  put(wrap.pair, true, separator, 0);
  wrap.pair.push_back({Kind::second, {}, 1});
  put(wrap.pair, vocabulary.add_eos, ids.eos, 1);
  return wrap;
}

Pipeline make_sentence_pipeline(const Vocabulary& vocabulary, const SentenceRules& rules) {
  Pipeline parts;
  parts.added = added_tokens(vocabulary);
  if (!rules.charsmap.empty()) {
    parts.normalizers.push_back(
        make_charsmap_normalizer(Charsmap(rules.charsmap), CharsmapUse::longest));
  }
  parts.normalizers.push_back(
      std::make_unique<SpaceMarks>(rules.merge_spaces, vocabulary.add_space_prefix));
  const TokenId mark = vocabulary.table.find(kSpaceMark);
  if (mark >= 0 && vocabulary.is_text(mark)) {
    parts.splitters.push_back(make_mark_splitter(vocabulary));
  }
  parts.model = make_model(vocabulary, rules);
  parts.wrap = wrap_of(vocabulary, rules.separator);
  std::vector<std::unique_ptr<const DecoderStep>> steps;
  steps.push_back(make_metaspace_decoder(std::string(kSpaceMark), vocabulary.add_space_prefix));
  steps.push_back(make_byte_fallback_decoder());
  parts.decoder = Decoder(std::move(steps));
  return parts;
}

}  // namespace strata::models
