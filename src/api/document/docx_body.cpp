#include "api/document/docx_body.h"

#include <algorithm>
#include <array>

#include "api/document/limits.h"
#include "core/ascii.h"
#include "core/error.h"

namespace strata::api {
namespace {

constexpr int64_t kMaxSpan = 63;  // columns of a table, as Word has them
constexpr int kMaxHeading = 6;    // as Markdown has them

template <size_t n>
bool is_one_of(std::string_view name, const std::array<std::string_view, n>& names) {
  return std::ranges::find(names, name) != names.end();
}

// What stands in these is not the document's text as it is now: an older form of it, what a tracked
// change took away, or a second form for older programs.
bool is_skipped(std::string_view name) {
  static constexpr std::array<std::string_view, 8> kSkipped{
      "w:del",       "w:moveFrom",    "mc:Fallback",  "w:pPrChange",
      "w:rPrChange", "w:tblPrChange", "w:tcPrChange", "w:sectPrChange"};
  return is_one_of(name, kSkipped);
}

// As one line of a table's cell.
std::string cell_text(std::string_view text) {
  std::string line;
  for (const char c : trimmed(text)) {
    if (c == '|') line += '\\';
    line += c == '\n' || c == '\t' || c == '\r' ? ' ' : c;
  }
  return line;
}

}  // namespace

void DocxBody::count(size_t bytes) {
  counted_ += bytes;
  if (counted_ > kMaxDocumentText) {
    throw Error(Code::invalid_argument,
                fmt::format("the document's text is over the limit of {} bytes", kMaxDocumentText),
                "attach a part of it");
  }
}

void DocxBody::add(std::string_view piece) {
  if (paragraphs_.empty()) return;
  count(piece.size());
  paragraphs_.back().text += piece;
}

void DocxBody::begin(const XmlElement& element) {
  path_.push_back(element.name);
  if (skipped_at_ != 0) return;
  const std::string& name = element.name;
  if (is_skipped(name)) {
    if (name == "w:del") ++left_out_.deletions;
    skipped_at_ = path_.size();
  } else if (name == "w:p") {
    count(2);
    paragraphs_.emplace_back();
  } else if (name == "w:tbl") {
    count(sizeof(Table));
    tables_.emplace_back();
  } else if (name == "w:tr" && !tables_.empty()) {
    count(sizeof(Row));
    tables_.back().emplace_back();
  } else if (name == "w:tc" && !tables_.empty() && !tables_.back().empty()) {
    count(sizeof(Cell));
    tables_.back().back().emplace_back();
  } else if (name == "w:gridSpan" && open_cell()) {
    open_cell()->columns = number_or(element.attribute("w:val"), 1, kMaxSpan, 1);
  } else if (path_.size() > 1 && path_[path_.size() - 2] == "w:r") {
    begin_run_part(element);
  } else if (name == "w:pStyle" && !paragraphs_.empty()) {
    paragraphs_.back().style = element.attribute("w:val");
  } else if (!paragraphs_.empty()) {
    note_kind(element, paragraphs_.back().kind);
  }
  note_left_out(element);
}

void DocxBody::begin_run_part(const XmlElement& element) {
  const std::string& name = element.name;
  if (name == "w:tab" || name == "w:ptab") add("\t");
  if (name == "w:br" || name == "w:cr") add("\n");
  if (name == "w:noBreakHyphen") add("-");
  if (name == "w:sym")
    add("\xEF\xBF\xBD");  // a place in a font of symbols, which says no character
  if (name == "w:footnoteReference") add(fmt::format("[^{}]", element.attribute("w:id")));
  if (name == "w:endnoteReference") add(fmt::format("[^end-{}]", element.attribute("w:id")));
}

void DocxBody::note_left_out(const XmlElement& element) {
  const std::string& name = element.name;
  if (name == "blip" || name == "imagedata") ++left_out_.pictures;
  if (name == "chart" || name == "relIds" || name == "w:object") ++left_out_.objects;
  if (name == "w:headerReference" || name == "w:footerReference") left_out_.headers = true;
  if (name == "w:commentReference") left_out_.comments = true;
}

void DocxBody::text(std::string_view piece) {
  if (skipped_at_ != 0 || path_.empty()) return;
  if (path_.back() == "w:t" || path_.back() == "m:t") add(piece);
}

void DocxBody::end(std::string_view name) {
  if (skipped_at_ == path_.size()) skipped_at_ = 0;
  path_.pop_back();
  if (skipped_at_ != 0) return;
  if (name == "w:p" && !paragraphs_.empty()) end_paragraph();
  if (name == "w:tbl" && !tables_.empty()) end_table();
}

DocxBody::Cell* DocxBody::open_cell() {
  if (tables_.empty() || tables_.back().empty() || tables_.back().back().empty()) return nullptr;
  return &tables_.back().back().back();
}

void DocxBody::end_paragraph() {
  const Paragraph paragraph = std::move(paragraphs_.back());
  paragraphs_.pop_back();
  const std::string_view said = trimmed(paragraph.text);
  if (said.empty()) return;
  ParagraphKind kind = styles_.of(paragraph.style);
  if (paragraph.kind.outline >= 0) kind.outline = paragraph.kind.outline;
  if (!paragraph.kind.numbering.empty()) kind.numbering = paragraph.kind.numbering;
  if (paragraph.kind.level >= 0) kind.level = paragraph.kind.level;
  const std::string mark = numbering_.mark(kind);
  if (Cell* cell = open_cell()) {
    if (!cell->text.empty()) cell->text += '\n';
    cell->text += mark;
    cell->text += said;
    return;
  }
  if (kind.outline >= 0) {
    const auto hashes = static_cast<size_t>(std::min(kind.outline + 1, kMaxHeading));
    return put_block(std::string(hashes, '#') + " " + mark + std::string(said), false);
  }
  if (mark.empty()) return put_block(said, false);
  const auto indent = static_cast<size_t>(std::max(kind.level, 0)) * 2;
  count(indent + mark.size());
  put_block(std::string(indent, ' ') + mark + std::string(said), true);
}

void DocxBody::put_block(std::string_view block, bool list_item) {
  if (!out_.empty()) out_ += list_item && after_list_item_ ? "\n" : "\n\n";
  out_ += block;
  after_list_item_ = list_item;
}

void DocxBody::end_table() {
  const Table table = std::move(tables_.back());
  tables_.pop_back();
  std::string block;
  for (const Row& row : table) {
    if (row.empty()) continue;
    const bool first = block.empty();
    int64_t columns = 0;
    block += first ? "|" : "\n|";
    for (const Cell& cell : row) {
      block += " " + cell_text(cell.text) + " |";
      for (int64_t i = 1; i < cell.columns; ++i) block += "  |";
      columns += cell.columns;
    }
    if (!first) continue;
    block += "\n|";
    for (int64_t i = 0; i < columns; ++i) block += " --- |";
  }
  if (block.empty()) return;
  if (Cell* outer = open_cell()) {  // a table in a cell
    outer->text += (outer->text.empty() ? "" : "\n") + block;
    return;
  }
  put_block(block, false);
}

}  // namespace strata::api
