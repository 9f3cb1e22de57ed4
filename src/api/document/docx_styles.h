// What a DOCX file's styles and numberings say of paragraphs: which are headings, which list items.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "api/document/xml.h"

namespace strata::api {

// What a paragraph says of itself, and a style of its paragraphs; what is not said is at its
// default.
struct ParagraphKind {
  int outline = -1;       // 0: a heading of the first level
  std::string numbering;  // id of a numbering; "": none said, "0": none
  int level = -1;         // of the list
};

// word/styles.xml
class DocxStyles : public XmlSink {
 public:
  void begin(const XmlElement& element) override;
  void end(std::string_view name) override;
  void text(std::string_view) override {}
  // With what the styles it is based on say.
  ParagraphKind of(std::string_view style) const;

 private:
  struct Style {
    ParagraphKind kind;
    std::string base;
  };
  std::map<std::string, Style, std::less<>> styles_;
  Style* open_ = nullptr;
};

// word/numbering.xml
class DocxNumbering : public XmlSink {
 public:
  void begin(const XmlElement& element) override;
  void end(std::string_view name) override;
  void text(std::string_view) override {}
  // "- ", "3. ", or "" where the paragraph is no list item. Counts the item.
  std::string mark(const ParagraphKind& kind);

 private:
  struct Level {
    std::string format;
    int64_t start = 1;
  };
  using Levels = std::map<int, Level>;
  std::map<std::string, Levels, std::less<>> abstract_;     // by abstractNumId
  std::map<std::string, std::string, std::less<>> chosen_;  // numId → abstractNumId
  std::map<std::string, std::map<int, int64_t>> counters_;  // of the abstract numbering
  Levels* open_ = nullptr;
  std::string number_;
  int level_ = -1;
};

// A whole number of an attribute within [low, high]; `otherwise` where there is none.
int64_t number_or(std::string_view text, int64_t low, int64_t high, int64_t otherwise);
// Notes the element where it says something of a paragraph's kind.
void note_kind(const XmlElement& element, ParagraphKind& kind);

constexpr int kDocxLevels = 9;  // of lists and outlines, as the format has

}  // namespace strata::api
