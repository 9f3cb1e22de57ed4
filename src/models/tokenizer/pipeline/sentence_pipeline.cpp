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

// The same as SentencePiece's library does it: the mark stands in front of the text, not of its
// first word, and no mark at the end survives merging, whoever wrote it.
class LibrarySpaceMarks final : public Normalizer {
 public:
  LibrarySpaceMarks(bool merge, bool prepend) : merge_(merge), prepend_(prepend) {}

  void apply(TracedText& text) const override {
    TextEdit edit(text);
    const std::string_view old = edit.old();
    size_t begin = 0, end = old.size();
    if (merge_) {
      begin = std::min(old.find_first_not_of(' '), end);
      while (end > begin && ends_in_space(old.substr(begin, end - begin))) {
        end -= old[end - 1] == ' ' ? 1 : kSpaceMark.size();
      }
    }
    if (begin == end) return;
    if (prepend_) edit.put(kSpaceMark, begin, begin);
    bool behind_space = merge_;
    for (size_t i = begin; i < end; ++i) {
      const bool space = old[i] == ' ';
      if (!space) edit.keep(i, i + 1);
      if (space && !(merge_ && behind_space)) edit.put(kSpaceMark, i, i + 1);
      behind_space = space;
    }
  }

 private:
  static bool ends_in_space(std::string_view text) {
    return text.ends_with(' ') || text.ends_with(kSpaceMark);
  }

  bool merge_, prepend_;
};

// Marks become spaces, without the one that encoding put in front of the text; where runs of spaces
// are merged, without one of each token until there is text.
class LibrarySpaces final : public DecoderStep {
 public:
  LibrarySpaces(bool merge, bool drop_first) : merge_(merge), drop_first_(drop_first) {}

  void apply(std::vector<Spelled>& tokens, Decoding& decoding) const override {
    bool at_start = decoding.whole && (drop_first_ || merge_);
    for (Spelled& token : tokens) {
      std::string_view rest = token.text;
      if (at_start && rest.starts_with(kSpaceMark)) {
        rest.remove_prefix(kSpaceMark.size());
        at_start = merge_;
      }
      std::string out;
      for (size_t at = 0; at < rest.size();) {
        const size_t mark = std::min(rest.find(kSpaceMark, at), rest.size());
        out += rest.substr(at, mark - at);
        if (mark < rest.size()) out += ' ';
        at = mark + kSpaceMark.size();
      }
      at_start = at_start && out.empty();
      token.text = std::move(out);
    }
  }

 private:
  bool merge_, drop_first_;
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
  unigram.single_precision = rules.as_library;
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
  if (rules.as_library) {
    parts.normalizers.push_back(
        std::make_unique<LibrarySpaceMarks>(rules.merge_spaces, vocabulary.add_space_prefix));
  } else {
    parts.normalizers.push_back(
        std::make_unique<SpaceMarks>(rules.merge_spaces, vocabulary.add_space_prefix));
  }
  const TokenId mark = vocabulary.table.find(kSpaceMark);
  // The library sums float32 scores over the whole text, which decides between equals.
  const bool in_one = rules.as_library && !rules.merges_by_score;
  if (!in_one && mark >= 0 && vocabulary.is_text(mark)) {
    parts.splitters.push_back(make_mark_splitter(vocabulary));
  }
  parts.model = make_model(vocabulary, rules);
  parts.wrap = wrap_of(vocabulary, rules.separator);
  std::vector<std::unique_ptr<const DecoderStep>> steps;
  if (rules.as_library) {
    steps.push_back(
        std::make_unique<LibrarySpaces>(rules.merge_spaces, vocabulary.add_space_prefix));
  } else {
    steps.push_back(make_metaspace_decoder(std::string(kSpaceMark), vocabulary.add_space_prefix));
  }
  steps.push_back(make_byte_fallback_decoder());
  parts.decoder = Decoder(std::move(steps));
  return parts;
}

}  // namespace strata::models
