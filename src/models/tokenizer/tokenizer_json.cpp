#include "models/tokenizer/tokenizer_json.h"

#include "core/error.h"
#include "models/tokenizer/bpe_model.h"
#include "models/tokenizer/pipeline/json_merges.h"
#include "models/tokenizer/pipeline/json_vocabulary.h"
#include "models/tokenizer/pipeline/pipeline_tokenizer.h"
#include "models/tokenizer/pipeline/word_models.h"
#include "models/tokenizer/prepared_text.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {
namespace {

BpeRules read_bpe_rules(const JsonPlace& model, TokenId unknown) {
  model.allow({"vocab", "merges", "dropout", "unk_token", "continuing_subword_prefix",
               "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"});
  if (const auto dropout = model.find("dropout"); dropout && dropout->number() != 0) {
    dropout->not_understood("dropout, which makes ids random,");
  }
  BpeRules rules;
  rules.whole_words = model.boolean_or("ignore_merges", false);
  rules.fallback =
      model.boolean_or("byte_fallback", false) ? ByteFallback::all : ByteFallback::none;
  rules.unknown = unknown;
  rules.fuse_unknown = model.boolean_or("fuse_unk", false);
  rules.prefix = model.text_or("continuing_subword_prefix", "");
  rules.suffix = model.text_or("end_of_word_suffix", "");
  return rules;
}

// Where words may be cut at space marks: a mark is a token, and words are only merged.
bool may_cut_at_marks(const BpeRules& rules, const Vocabulary& vocabulary) {
  const TokenId mark = vocabulary.table.find(kSpaceMark);
  return !rules.byte_symbols && !rules.whole_words && rules.prefix.empty() &&
         rules.suffix.empty() && mark >= 0 && vocabulary.is_text(mark);
}

std::unique_ptr<const WordModel> read_bpe(const JsonPlace& model, BpeRules rules,
                                          const Vocabulary& vocabulary) {
  const MergeOptions options{.prefix_length = rules.prefix.size(), .last_wins = true};
  MergeTable merges(vocabulary, JsonMerges(model["merges"]), options);
  return std::make_unique<BpeModel>(vocabulary, std::move(merges), std::move(rules));
}

std::unique_ptr<const WordModel> read_word_piece(const JsonPlace& model, const JsonVocabulary& read,
                                                 const Vocabulary& vocabulary) {
  model.allow({"vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"});
  WordPieceRules rules;
  rules.prefix = model.text_or("continuing_subword_prefix", "##");
  rules.unknown = read.unknown;
  if (rules.unknown < 0) model.refuse("has no unk_token");
  if (const auto most = model.find("max_input_chars_per_word")) {
    if (most->integer() < 0 || most->integer() > kMaxWordCharacters) {
      most->refuse(fmt::format("is {}, the limit is {}", most->integer(), kMaxWordCharacters));
    }
    rules.max_characters = static_cast<size_t>(most->integer());
  }
  return make_word_piece(vocabulary, std::move(rules));
}

std::unique_ptr<const WordModel> read_unigram(const JsonPlace& model, const JsonVocabulary& read,
                                              const Vocabulary& vocabulary) {
  model.allow({"vocab", "unk_id", "byte_fallback"});
  UnigramRules rules;
  rules.scores = read.scores;
  rules.unknown = read.unknown;
  rules.byte_fallback = model.boolean_or("byte_fallback", false);
  return make_unigram(vocabulary, std::move(rules));
}

// What `wrap` puts around a text, as the other files want it.
void apply_facts(const TokenizerFacts& facts, const Vocabulary& vocabulary, PostTemplate& wrap) {
  using Kind = TemplatePart::Kind;
  const TokenId bos = vocabulary.ids.bos, eos = vocabulary.ids.eos;
  auto& parts = wrap.single;
  if (!facts.add_bos && !facts.add_eos) return;
  if (parts.empty()) parts.push_back({Kind::first, {}, 0});
  const auto is_special = [](const TemplatePart& part) { return part.kind == Kind::special; };
  if (facts.add_bos) {
    if (is_special(parts.front()) && !*facts.add_bos) parts.erase(parts.begin());
    if (!is_special(parts.front()) && *facts.add_bos && bos >= 0) {
      parts.insert(parts.begin(), {Kind::special, {bos}, 0});
    }
  }
  if (facts.add_eos) {
    if (is_special(parts.back()) && !*facts.add_eos) parts.pop_back();
    if (!is_special(parts.back()) && *facts.add_eos && eos >= 0) {
      parts.push_back({Kind::special, {eos}, 0});
    }
  }
}

// The flags and, where no file names them, the ids of the first and the last token.
void set_flags(const PostTemplate& wrap, Vocabulary& vocabulary) {
  if (wrap.single.empty()) return;
  const TemplatePart& first = wrap.single.front();
  const TemplatePart& last = wrap.single.back();
  vocabulary.add_bos = first.kind == TemplatePart::Kind::special && !first.ids.empty();
  vocabulary.add_eos = last.kind == TemplatePart::Kind::special && !last.ids.empty();
  if (vocabulary.add_bos && vocabulary.ids.bos < 0) vocabulary.ids.bos = first.ids.front();
  if (vocabulary.add_eos && vocabulary.ids.eos < 0) vocabulary.ids.eos = last.ids.back();
}

Pipeline read_pipeline(const JsonPlace& root, JsonVocabulary& read, PostTemplate wrap,
                       const Vocabulary& vocabulary) {
  const JsonPlace model = root["model"];
  Pipeline parts;
  parts.added = std::move(read.added);
  parts.wrap = std::move(wrap);
  if (const auto place = root.find("normalizer")) read_normalizers(*place, parts.normalizers);
  if (const auto place = root.find("decoder")) parts.decoder = Decoder::read(*place);

  BpeRules rules;
  const bool bpe = read.kind == ModelKind::bpe;
  if (bpe) rules = read_bpe_rules(model, read.unknown);
  if (const auto place = root.find("pre_tokenizer")) {
    SplitterPlan plan = read_splitters(*place, bpe && rules.fallback == ByteFallback::none);
    parts.splitters = std::move(plan.steps);
    rules.byte_symbols = plan.byte_symbols;
  }
  switch (read.kind) {
    case ModelKind::bpe:
      if (may_cut_at_marks(rules, vocabulary)) {
        parts.splitters.push_back(make_mark_splitter(vocabulary));
      }
      parts.model = read_bpe(model, std::move(rules), vocabulary);
      break;
    case ModelKind::word_piece:
      parts.model = read_word_piece(model, read, vocabulary);
      break;
    case ModelKind::unigram:
      parts.model = read_unigram(model, read, vocabulary);
      break;
    case ModelKind::word_level:
      model.allow({"vocab", "unk_token"});
      parts.model = make_word_level(vocabulary, read.unknown);
      break;
  }
  return parts;
}

}  // namespace

std::shared_ptr<const Tokenizer> tokenizer_from_json(std::string_view tokenizer_json,
                                                     const TokenizerFacts& facts, int32_t n_vocab) {
  if (n_vocab < 0 || static_cast<size_t>(n_vocab) > kMaxVocabulary) {
    throw Error(Code::invalid_argument,
                fmt::format("a vocabulary of {} tokens, the limit is {}", n_vocab, kMaxVocabulary));
  }
  const json::value document =
      parse_json(tokenizer_json, {.max_bytes = kMaxTokenizerJsonBytes, .max_depth = 32});
  const JsonPlace root(document, "tokenizer.json");
  root.allow({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
              "post_processor", "decoder", "model"});
  JsonVocabulary read = read_json_vocabulary(root, facts, n_vocab);
  PostTemplate wrap;
  if (const auto place = root.find("post_processor")) {
    wrap = read_post_processor(*place, read.vocabulary);
  }
  apply_facts(facts, read.vocabulary, wrap);
  set_flags(wrap, read.vocabulary);
  return make_pipeline_tokenizer(std::move(read.vocabulary), [&](const Vocabulary& vocabulary) {
    return read_pipeline(root, read, std::move(wrap), vocabulary);
  });
}

}  // namespace strata::models
