#include "models/tokenizer/pipeline/normalizer.h"

#include <algorithm>

#include <utf8proc.h>

#include "core/error.h"
#include "core/utf8.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/pipeline/base64.h"
#include "models/tokenizer/pipeline/characters.h"
#include "models/tokenizer/pipeline/normal_form.h"
#include "models/tokenizer/pipeline/text_pattern.h"

namespace strata::models {
namespace {

// Calls visit(c, begin, end, edit) for each character; what it does not put is gone.
template <typename Visit>
void for_each_character(TracedText& text, const Visit& visit) {
  TextEdit edit(text);
  const std::string_view old = edit.old();
  for (size_t at = 0; at < old.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(old, at);
    visit(c, begin, at, edit);
  }
}

template <typename Keep>
void filter(TracedText& text, const Keep& keep) {
  for_each_character(text, [&](char32_t c, size_t begin, size_t end, TextEdit& edit) {
    if (keep(c)) edit.keep(begin, end);
  });
}

void lowercase(TracedText& text) {
  std::string lower;
  for_each_character(text, [&](char32_t c, size_t begin, size_t end, TextEdit& edit) {
    lower.clear();
    append_lower(lower, c);
    edit.put(lower, begin, end);
  });
}

class FormNormalizer final : public Normalizer {
 public:
  explicit FormNormalizer(NormalForm form) : form_(form) {}
  void apply(TracedText& text) const override { normalize(form_, text); }

 private:
  NormalForm form_;
};

class LowercaseNormalizer final : public Normalizer {
 public:
  void apply(TracedText& text) const override { lowercase(text); }
};

class StripAccentsNormalizer final : public Normalizer {
 public:
  void apply(TracedText& text) const override {
    filter(text, [](char32_t c) { return !is_mark(c); });
  }
};

class StripNormalizer final : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}

  void apply(TracedText& text) const override {
    size_t begin = text.text.size(), end = 0;  // of what is no white space
    for (size_t at = 0; at < text.text.size();) {
      const size_t from = at;
      if (is_white_space(next_code_point(text.text, at))) continue;
      begin = std::min(begin, from);
      end = at;
    }
    if (!left_) begin = 0;
    if (!right_) end = text.text.size();
    TextEdit edit(text);
    if (begin < end) edit.keep(begin, end);
  }

 private:
  bool left_, right_;
};

class ReplaceNormalizer final : public Normalizer {
 public:
  ReplaceNormalizer(TextPattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  void apply(TracedText& text) const override {
    TextEdit edit(text);
    TextPattern::Search search(pattern_, *text.regex);
    search.start(edit.old());
    size_t last = 0;
    for (size_t begin = 0, end = 0; search.next(begin, end); last = end) {
      edit.keep(last, begin);
      edit.put(content_, begin, end);
    }
    edit.keep(last, edit.old().size());
  }

 private:
  TextPattern pattern_;
  std::string content_;
};

class AffixNormalizer final : public Normalizer {
 public:
  AffixNormalizer(std::string before, std::string behind)
      : before_(std::move(before)), behind_(std::move(behind)) {}

  void apply(TracedText& text) const override {
    if (text.text.empty()) return;
    TextEdit edit(text);
    const size_t size = edit.old().size();
    edit.put(before_, 0, 0);
    edit.keep(0, size);
    edit.put(behind_, size, size);
  }

 private:
  std::string before_, behind_;
};

class ByteLevelNormalizer final : public Normalizer {
 public:
  void apply(TracedText& text) const override {
    TextEdit edit(text);
    const std::string_view old = edit.old();
    for (size_t i = 0; i < old.size(); ++i) {
      edit.put(byte_alphabet()[static_cast<uint8_t>(old[i])], i, i + 1);
    }
  }
};

// The table of SentencePiece's "nmt" rules.
class NmtNormalizer final : public Normalizer {
 public:
  void apply(TracedText& text) const override {
    for_each_character(text, [](char32_t c, size_t begin, size_t end, TextEdit& edit) {
      const bool dropped = (c >= 1 && c <= 8) || c == 0x0B || (c >= 0x0E && c <= 0x1F) ||
                           c == 0x7F || c == 0x8F || c == 0x9F;
      const bool space = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
                         c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
      if (space) {
        edit.put(" ", begin, end);
      } else if (!dropped) {
        edit.keep(begin, end);
      }
    });
  }
};

bool is_han(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

class BertNormalizer final : public Normalizer {
 public:
  explicit BertNormalizer(const BertRules& rules) : rules_(rules) {}

  void apply(TracedText& text) const override {
    if (rules_.clean_text) clean(text);
    if (rules_.separate_han) separate(text);
    if (rules_.strip_accents) {
      normalize(NormalForm::nfd, text);
      filter(text, [](char32_t c) { return !is_nonspacing_mark(c); });
    }
    if (rules_.lowercase) lowercase(text);
  }

 private:
  static void clean(TracedText& text) {
    for_each_character(text, [](char32_t c, size_t begin, size_t end, TextEdit& edit) {
      if (is_white_space(c)) {
        // U+0085 and the like are both white space and controls; only these three are kept.
        const bool control = c < 0xA0 && c != ' ' && c != '\t' && c != '\n' && c != '\r';
        if (!control) edit.put(" ", begin, end);
      } else if (c != 0xFFFD && !is_other(c)) {
        edit.keep(begin, end);
      }
    });
  }

  static void separate(TracedText& text) {
    for_each_character(text, [](char32_t c, size_t begin, size_t end, TextEdit& edit) {
      const bool han = is_han(c);
      if (han) edit.put(" ", begin, begin);
      edit.keep(begin, end);
      if (han) edit.put(" ", end, end);
    });
  }

  BertRules rules_;
};

class CharsmapNormalizer final : public Normalizer {
 public:
  CharsmapNormalizer(Charsmap charsmap, CharsmapUse use)
      : charsmap_(std::move(charsmap)), use_(use) {}

  void apply(TracedText& text) const override {
    TextEdit edit(text);
    use_ == CharsmapUse::graphemes ? by_graphemes(edit) : by_prefixes(edit);
  }

 private:
  static constexpr size_t kMaxGrapheme = 5;  // bytes; longer ones are looked up by character

  void put(std::string_view part, size_t begin, TextEdit& edit) const {
    if (const auto match = charsmap_.shortest(part)) {
      edit.put(match->replacement, begin, begin + part.size());
    } else {
      edit.keep(begin, begin + part.size());
    }
  }

  void by_graphemes(TextEdit& edit) const {
    const std::string_view old = edit.old();
    utf8proc_int32_t state = 0;
    for (size_t begin = 0, end = 0; begin < old.size(); begin = end) {
      char32_t c = next_code_point(old, end);
      for (size_t next = end; next < old.size(); end = next) {
        const char32_t following = next_code_point(old, next);
        if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(c),
                                             static_cast<utf8proc_int32_t>(following), &state)) {
          break;
        }
        c = following;
      }
      const std::string_view grapheme = old.substr(begin, end - begin);
      if (grapheme.size() <= kMaxGrapheme && charsmap_.shortest(grapheme)) {
        put(grapheme, begin, edit);
        continue;
      }
      for (size_t at = begin; at < end;) {
        const size_t length = utf8_length_at(old, at);
        put(old.substr(at, length), at, edit);
        at += length;
      }
    }
  }

  void by_prefixes(TextEdit& edit) const {
    const std::string_view old = edit.old();
    for (size_t at = 0; at < old.size();) {
      if (const auto match = charsmap_.longest(old.substr(at))) {
        edit.put(match->replacement, at, at + match->length);
        at += match->length;
      } else {
        const size_t length = utf8_length_at(old, at);
        edit.keep(at, at + length);
        at += length;
      }
    }
  }

  Charsmap charsmap_;
  CharsmapUse use_;
};

std::unique_ptr<const Normalizer> read_bert(const JsonPlace& place) {
  place.allow({"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
  BertRules rules;
  rules.clean_text = place.boolean_or("clean_text", true);
  rules.separate_han = place.boolean_or("handle_chinese_chars", true);
  rules.lowercase = place.boolean_or("lowercase", true);
  rules.strip_accents = place.boolean_or("strip_accents", rules.lowercase);
  return make_bert_normalizer(rules);
}

std::unique_ptr<const Normalizer> read_one(const JsonPlace& place) {
  const std::string_view type = place.type();
  constexpr std::pair<std::string_view, NormalForm> kForms[] = {{"NFC", NormalForm::nfc},
                                                                {"NFD", NormalForm::nfd},
                                                                {"NFKC", NormalForm::nfkc},
                                                                {"NFKD", NormalForm::nfkd}};
  for (const auto& [name, form] : kForms) {
    if (type != name) continue;
    place.allow({});
    return std::make_unique<FormNormalizer>(form);
  }
  if (type == "BertNormalizer") return read_bert(place);
  if (type == "Replace") {
    place.allow({"pattern", "content"});
    return std::make_unique<ReplaceNormalizer>(TextPattern::read(place["pattern"]),
                                               std::string(place["content"].text()));
  }
  if (type == "Prepend" || type == "Append") {
    const bool before = type == "Prepend";
    place.allow({"prepend", "append"});
    const std::string text(place[before ? "prepend" : "append"].text());
    return std::make_unique<AffixNormalizer>(before ? text : "", before ? "" : text);
  }
  if (type == "Strip") {
    place.allow({"strip_left", "strip_right"});
    return std::make_unique<StripNormalizer>(place.boolean_or("strip_left", true),
                                             place.boolean_or("strip_right", true));
  }
  if (type == "Precompiled") {
    place.allow({"precompiled_charsmap"});
    const JsonPlace map = place["precompiled_charsmap"];
    const auto bytes = from_base64(map.text());
    if (!bytes) map.refuse("is not base64");
    return make_charsmap_normalizer(Charsmap(*bytes), CharsmapUse::graphemes);
  }
  place.allow({});
  if (type == "Lowercase") return std::make_unique<LowercaseNormalizer>();
  if (type == "StripAccents") return std::make_unique<StripAccentsNormalizer>();
  if (type == "Nmt") return std::make_unique<NmtNormalizer>();
  if (type == "ByteLevel") return std::make_unique<ByteLevelNormalizer>();
  place.not_understood(fmt::format("normaliser \"{}\"", type));
}

}  // namespace

std::unique_ptr<const Normalizer> make_bert_normalizer(const BertRules& rules) {
  return std::make_unique<BertNormalizer>(rules);
}

std::unique_ptr<const Normalizer> make_charsmap_normalizer(Charsmap charsmap, CharsmapUse use) {
  return std::make_unique<CharsmapNormalizer>(std::move(charsmap), use);
}

std::unique_ptr<const Normalizer> make_replace(std::string_view text, std::string_view content) {
  return std::make_unique<ReplaceNormalizer>(TextPattern::of_text(text), std::string(content));
}

void read_normalizers(const JsonPlace& place, Normalizers& out) {
  if (place.type() != "Sequence") {
    out.push_back(read_one(place));
    return;
  }
  place.allow({"normalizers"});
  const JsonPlace list = place["normalizers"];
  for (size_t i = 0; i < list.array().size(); ++i) read_normalizers(list.item(i), out);
}

}  // namespace strata::models
