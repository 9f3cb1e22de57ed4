#include "api/document/docx_styles.h"

#include <algorithm>
#include <charconv>

namespace strata::api {

int64_t number_or(std::string_view text, int64_t low, int64_t high, int64_t otherwise) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
  return whole && value >= low && value <= high ? value : otherwise;
}

void note_kind(const XmlElement& element, ParagraphKind& kind) {
  const std::string_view value = element.attribute("w:val");
  if (element.name == "w:outlineLvl") {
    kind.outline = static_cast<int>(number_or(value, 0, kDocxLevels - 1, -1));
  } else if (element.name == "w:numId") {
    kind.numbering = value;
  } else if (element.name == "w:ilvl") {
    kind.level = static_cast<int>(number_or(value, 0, kDocxLevels - 1, -1));
  }
}

void DocxStyles::begin(const XmlElement& element) {
  if (element.name == "w:style") {
    open_ = &styles_[std::string(element.attribute("w:styleId"))];
  } else if (open_ && element.name == "w:basedOn") {
    open_->base = element.attribute("w:val");
  } else if (open_ && element.name == "w:name" && element.attribute("w:val") == "Title") {
    open_->kind.outline = 0;
  } else if (open_) {
    note_kind(element, open_->kind);
  }
}

void DocxStyles::end(std::string_view name) {
  if (name == "w:style") open_ = nullptr;
}

ParagraphKind DocxStyles::of(std::string_view style) const {
  constexpr int kMaxBases = 16;  // a circle ends here, too
  ParagraphKind kind;
  std::string next(style);
  for (int i = 0; i < kMaxBases; ++i) {
    const auto found = styles_.find(next);
    if (found == styles_.end()) break;
    const ParagraphKind& said = found->second.kind;
    if (kind.outline < 0) kind.outline = said.outline;
    if (kind.numbering.empty()) kind.numbering = said.numbering;
    if (kind.level < 0) kind.level = said.level;
    next = found->second.base;
  }
  return kind;
}

void DocxNumbering::begin(const XmlElement& element) {
  const std::string_view value = element.attribute("w:val");
  if (element.name == "w:abstractNum") {
    open_ = &abstract_[std::string(element.attribute("w:abstractNumId"))];
  } else if (element.name == "w:num") {
    number_ = element.attribute("w:numId");
  } else if (element.name == "w:abstractNumId" && !number_.empty()) {
    chosen_[number_] = value;
  } else if (element.name == "w:lvl") {
    level_ = static_cast<int>(number_or(element.attribute("w:ilvl"), 0, kDocxLevels - 1, -1));
  } else if (open_ && level_ >= 0 && element.name == "w:numFmt") {
    (*open_)[level_].format = value;
  } else if (open_ && level_ >= 0 && element.name == "w:start") {
    (*open_)[level_].start = number_or(value, 0, 32767, 1);
  }
}

void DocxNumbering::end(std::string_view name) {
  if (name == "w:abstractNum") open_ = nullptr;
  if (name == "w:num") number_.clear();
  if (name == "w:lvl") level_ = -1;
}

std::string DocxNumbering::mark(const ParagraphKind& kind) {
  const auto chosen = chosen_.find(kind.numbering);
  if (chosen == chosen_.end()) return "";
  const int at = std::max(kind.level, 0);
  auto& counters = counters_[chosen->second];
  counters.erase(counters.upper_bound(at), counters.end());  // deeper ones begin anew
  const Levels& levels = abstract_[chosen->second];
  const auto level = levels.find(at);
  if (level == levels.end() || level->second.format == "none") return "";
  if (level->second.format == "bullet") return "- ";
  const auto counter = counters.try_emplace(at, level->second.start).first;
  return std::to_string(counter->second++) + ". ";
}

}  // namespace strata::api
