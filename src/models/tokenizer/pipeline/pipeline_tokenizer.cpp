#include "models/tokenizer/pipeline/pipeline_tokenizer.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/prepared_text.h"
#include "models/tokenizer/split_regex.h"
#include "models/tokenizer/tokenizer_limits.h"
#include "models/tokenizer/word_cache.h"

namespace strata::models {
namespace {

// How far the bytes [begin, end) of a text are covered by the ascending ranges.
Trust trust_of(std::span<const TextRange> untrusted, size_t begin, size_t end) {
  const TextRange* range = first_touched(untrusted, begin, end);
  if (range == nullptr) return Trust::trusted;
  return range->begin <= begin && end <= range->end ? Trust::untrusted : Trust::mixed;
}

// A word or a token that was spelled out, with its place in the text of all words.
struct Item {
  uint32_t begin = 0;
  uint32_t end = 0;
  TokenId token = -1;
};

std::vector<AddedToken> normalized_content(const std::vector<AddedToken>& tokens,
                                           const Normalizers& normalizers) {
  std::vector<AddedToken> out = tokens;
  for (AddedToken& token : out) {
    if (!token.normalized) continue;
    RegexBudget regex(token.content.size());
    TracedText text = untouched(token.content, false, 0, regex);
    for (const auto& normalizer : normalizers) normalizer->apply(text);
    token.content = std::move(text.text);
  }
  return out;
}

class PipelineTokenizer final : public TokenizerBase {
 public:
  PipelineTokenizer(Vocabulary read, const MakePipeline& make)
      : TokenizerBase(std::move(read)), parts_(make(vocabulary())) {
    plain_.emplace(parts_.added, false);
    normalized_.emplace(normalized_content(parts_.added, parts_.normalizers), true);
    is_added_.resize(vocabulary().size());
    for (const AddedToken& token : parts_.added) is_added_[static_cast<size_t>(token.id)] = true;
    rewrites_ = !parts_.normalizers.empty() ||
                std::any_of(parts_.splitters.begin(), parts_.splitters.end(),
                            [](const auto& splitter) { return splitter->rewrites(); });
  }

  std::vector<TokenId> encode(const MarkedText& source) const override;
  std::vector<TokenId> with_bos_eos(std::vector<TokenId> ids) const override;
  JoinedIds join(std::span<const TokenId> first, std::span<const TokenId> second) const override;
  std::string piece(TokenId id, bool spell_control) const override;
  std::string decode(std::span<const TokenId> ids, bool spell_control) const override;

 private:
  // What one encode gathers before words become ids.
  struct Gathered {
    explicit Gathered(size_t text_bytes) : regex(text_bytes) {}
    RegexBudget regex;
    bool copied = false;  // `text` holds the words, else the source does
    std::string text;
    std::vector<Item> items;
  };

  void add_fragment(const MarkedText& source, const Fragment& fragment, Gathered& out) const;
  void add_words(std::string_view text, size_t begin, bool begins_text, Gathered& out) const;
  bool speaks(TokenId id, bool spell_control) const;

  Pipeline parts_;
  std::optional<AddedTokens> plain_, normalized_;
  std::vector<bool> is_added_;
  bool rewrites_ = false;
};

// Cuts a normalised stretch, whose first byte is byte `begin` of the source where nothing is
// copied.
void PipelineTokenizer::add_words(std::string_view text, size_t begin, bool begins_text,
                                  Gathered& out) const {
  if (text.empty()) return;
  Words words(text, begins_text, out.regex);
  for (const auto& splitter : parts_.splitters) splitter->apply(words);
  if (out.copied) {
    begin = out.text.size();
    out.text += words.text;
    if (out.text.size() > UINT32_MAX) {
      throw Error(Code::resource_exhausted, "the text grows over 4 GB when it is normalised",
                  "send the text in smaller parts");
    }
  }
  const auto base = static_cast<uint32_t>(begin);
  for (const Span span : words.spans) out.items.push_back({base + span.begin, base + span.end, -1});
}

void PipelineTokenizer::add_fragment(const MarkedText& source, const Fragment& fragment,
                                     Gathered& out) const {
  const auto text =
      std::string_view(source.text).substr(fragment.begin, fragment.end - fragment.begin);
  const bool begins_text = fragment.begin == 0;
  if (!out.copied) return add_words(text, fragment.begin, begins_text, out);
  const Trust trust = trust_of(source.untrusted, fragment.begin, fragment.end);
  const bool traced = trust == Trust::mixed && normalized_->has_special();
  const bool valid = is_valid_utf8(text);
  TracedText changed = untouched(text, traced, fragment.begin, out.regex);
  if (!valid) repair(changed);
  for (const auto& normalizer : parts_.normalizers) normalizer->apply(changed);
  if (normalized_->empty()) return add_words(changed.text, 0, begins_text, out);
  const auto trust_in = [&](size_t begin, size_t end) {
    if (!traced) return trust == Trust::trusted ? Trust::trusted : Trust::untrusted;
    return trust_of(source.untrusted, changed.origins[begin].begin, changed.origins[end - 1].end);
  };
  for (const Fragment& part : normalized_->split(changed.text, trust_in)) {
    if (part.token >= 0) {
      out.items.push_back({0, 0, part.token});
      continue;
    }
    const auto words = std::string_view(changed.text).substr(part.begin, part.end - part.begin);
    add_words(words, 0, begins_text && part.begin == 0, out);
  }
}

std::vector<TokenId> PipelineTokenizer::encode(const MarkedText& source) const {
  check_source(source);
  const auto trust = [&](size_t begin, size_t end) {
    return trust_of(source.untrusted, begin, end);
  };
  Gathered gathered(source.text.size());
  gathered.copied = rewrites_ || !normalized_->empty() || !is_valid_utf8(source.text);
  gathered.items.reserve(source.text.size() / 4 + 16);
  for (const Fragment& fragment : plain_->split(source.text, trust)) {
    if (fragment.token >= 0) {
      gathered.items.push_back({0, 0, fragment.token});
    } else {
      add_fragment(source, fragment, gathered);
    }
  }
  const std::string_view text = gathered.copied ? gathered.text : source.text;
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + gathered.items.size() / 8);
  WordScratch scratch;
  WordCache cache(text, ids);
  for (const Item& item : gathered.items) {
    if (item.token >= 0) {
      ids.push_back(item.token);
      continue;
    }
    cache.append(item.begin, item.end, [&](size_t begin, size_t end) {
      parts_.model->encode(text.substr(begin, end - begin), scratch, ids);
    });
  }
  if (scratch.lost_byte >= 0) report_lost_byte(static_cast<uint8_t>(scratch.lost_byte));
  return ids;
}

std::vector<TokenId> PipelineTokenizer::with_bos_eos(std::vector<TokenId> ids) const {
  std::vector<TokenId> before, behind;
  bool passed = false;
  for (const TemplatePart& part : parts_.wrap.single) {
    auto& side = passed ? behind : before;
    side.insert(side.end(), part.ids.begin(), part.ids.end());
    passed = passed || part.kind == TemplatePart::Kind::first;
  }
  const bool begun =
      ids.size() >= before.size() && std::equal(before.begin(), before.end(), ids.begin());
  if (!begun) ids.insert(ids.begin(), before.begin(), before.end());
  const bool ended =
      ids.size() >= behind.size() && std::equal(behind.rbegin(), behind.rend(), ids.rbegin());
  if (!ended) ids.insert(ids.end(), behind.begin(), behind.end());
  return ids;
}

JoinedIds PipelineTokenizer::join(std::span<const TokenId> first,
                                  std::span<const TokenId> second) const {
  if (parts_.wrap.pair.empty()) return Tokenizer::join(first, second);
  JoinedIds out;
  for (const TemplatePart& part : parts_.wrap.pair) {
    const std::span<const TokenId> ids = part.kind == TemplatePart::Kind::first    ? first
                                         : part.kind == TemplatePart::Kind::second ? second
                                                                                   : part.ids;
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.segments.insert(out.segments.end(), ids.size(), part.segment);
  }
  return out;
}

// Control tokens are silent unless asked for; ids without a spelling always.
bool PipelineTokenizer::speaks(TokenId id, bool spell_control) const {
  check_id(id);
  const TokenKind kind = vocabulary().kind(id);
  return kind != TokenKind::unused && (spell_control || kind != TokenKind::control);
}

std::string PipelineTokenizer::piece(TokenId id, bool spell_control) const {
  if (!speaks(id, spell_control)) return {};
  const bool verbatim = is_added_[static_cast<size_t>(id)];
  return parts_.decoder.piece({std::string(vocabulary().token(id)), verbatim});
}

std::string PipelineTokenizer::decode(std::span<const TokenId> ids, bool spell_control) const {
  std::vector<Spelled> tokens;
  tokens.reserve(ids.size());
  for (const TokenId id : ids) {
    if (!speaks(id, spell_control)) continue;
    tokens.push_back({std::string(vocabulary().token(id)),
                      static_cast<bool>(is_added_[static_cast<size_t>(id)])});
  }
  return parts_.decoder.decode(std::move(tokens));
}

}  // namespace

std::shared_ptr<const Tokenizer> make_pipeline_tokenizer(Vocabulary vocabulary,
                                                         const MakePipeline& make) {
  return std::make_shared<PipelineTokenizer>(std::move(vocabulary), make);
}

}  // namespace strata::models
