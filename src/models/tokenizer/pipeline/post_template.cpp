#include "models/tokenizer/pipeline/post_template.h"

#include <algorithm>

#include "core/error.h"

namespace strata::models {
namespace {

using Kind = TemplatePart::Kind;

TokenId read_id(const JsonPlace& place, const Vocabulary& vocabulary) {
  const int64_t id = place.integer();
  if (id < 0 || static_cast<uint64_t>(id) >= vocabulary.size()) {
    place.refuse(fmt::format("is {}, no token of a vocabulary of {}", id, vocabulary.size()));
  }
  return static_cast<TokenId>(id);
}

uint8_t read_segment(const JsonPlace& place) {
  const auto found = place.find("type_id");
  const int64_t segment = found ? found->integer() : 0;
  if (segment < 0 || segment > 255) place.refuse("has a type_id that is not in 0..255");
  return static_cast<uint8_t>(segment);
}

std::vector<TemplatePart> read_parts(const JsonPlace& list, const JsonPlace& specials,
                                     const Vocabulary& vocabulary) {
  std::vector<TemplatePart> parts;
  for (size_t i = 0; i < list.array().size(); ++i) {
    const JsonPlace item = list.item(i);
    if (const auto sequence = item.find("Sequence")) {
      const std::string_view name = (*sequence)["id"].text();
      if (name != "A" && name != "B") (*sequence)["id"].not_understood(fmt::format("\"{}\"", name));
      parts.push_back({name == "A" ? Kind::first : Kind::second, {}, read_segment(*sequence)});
      continue;
    }
    const JsonPlace special = item["SpecialToken"];
    TemplatePart part{Kind::special, {}, read_segment(special)};
    const JsonPlace ids = specials[special["id"].text()]["ids"];
    for (size_t j = 0; j < ids.array().size(); ++j) {
      part.ids.push_back(read_id(ids.item(j), vocabulary));
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

// A text that is left out, or taken twice, would give other ids than were asked for; who adds or
// drops special tokens relies on the text between them.
void check_texts(const JsonPlace& list, const std::vector<TemplatePart>& parts, int64_t n_second) {
  const auto n = [&](Kind kind) { return std::ranges::count(parts, kind, &TemplatePart::kind); };
  if (n(Kind::first) == 1 && n(Kind::second) == n_second) return;
  list.refuse(fmt::format("takes Sequence A {} and Sequence B {} times, not 1 and {}",
                          n(Kind::first), n(Kind::second), n_second));
}

PostTemplate read_template(const JsonPlace& place, const Vocabulary& vocabulary) {
  place.allow({"single", "pair", "special_tokens"});
  PostTemplate out;
  out.single = read_parts(place["single"], place["special_tokens"], vocabulary);
  out.pair = read_parts(place["pair"], place["special_tokens"], vocabulary);
  check_texts(place["single"], out.single, 0);
  check_texts(place["pair"], out.pair, 1);
  return out;
}

// [text, id]
TokenId read_named(const JsonPlace& place, const Vocabulary& vocabulary) {
  if (place.array().size() != 2) place.refuse("is not a token and its id");
  return read_id(place.item(1), vocabulary);
}

// BERT: [CLS] A [SEP] B [SEP]; RoBERTa: <s> A </s></s> B </s>, all in one segment.
PostTemplate read_bert(const JsonPlace& place, const Vocabulary& vocabulary, bool roberta) {
  place.allow({"sep", "cls", "trim_offsets", "add_prefix_space"});
  const TokenId cls = read_named(place["cls"], vocabulary);
  const TokenId sep = read_named(place["sep"], vocabulary);
  const auto second = static_cast<uint8_t>(roberta ? 0 : 1);
  const TemplatePart begin{Kind::special, {cls}, 0}, end{Kind::special, {sep}, 0};
  const TemplatePart first{Kind::first, {}, 0};
  PostTemplate out;
  out.single = {begin, first, end};
  out.pair = {begin, first, end};
  if (roberta) out.pair.push_back(end);
  out.pair.push_back({Kind::second, {}, second});
  out.pair.push_back({Kind::special, {sep}, second});
  return out;
}

}  // namespace

PostTemplate read_post_processor(const JsonPlace& place, const Vocabulary& vocabulary) {
  const std::string_view type = place.type();
  if (type == "ByteLevel") {
    place.allow({"add_prefix_space", "trim_offsets", "use_regex"});  // about offsets only
    return {};
  }
  if (type == "TemplateProcessing") return read_template(place, vocabulary);
  if (type == "BertProcessing") return read_bert(place, vocabulary, false);
  if (type == "RobertaProcessing") return read_bert(place, vocabulary, true);
  if (type != "Sequence") place.not_understood(fmt::format("post-processor \"{}\"", type));
  place.allow({"processors"});
  const JsonPlace list = place["processors"];
  PostTemplate out;
  for (size_t i = 0; i < list.array().size(); ++i) {
    PostTemplate one = read_post_processor(list.item(i), vocabulary);
    if (one.single.empty() && one.pair.empty()) continue;
    if (!out.single.empty() || !out.pair.empty()) {
      list.item(i).not_understood("a second processor that adds tokens");
    }
    out = std::move(one);
  }
  return out;
}

}  // namespace strata::models
