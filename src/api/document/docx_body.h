// A DOCX part with paragraphs and tables (the document, its footnotes) as Markdown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/document/docx_styles.h"
#include "api/document/xml.h"

namespace strata::api {

// What was met that is not in the text.
struct DocxLeftOut {
  int64_t pictures = 0;
  int64_t objects = 0;  // charts, drawings, embedded files
  int64_t deletions = 0;
  bool headers = false, comments = false;
};

class DocxBody : public XmlSink {
 public:
  // Error{invalid_argument} from the calls of XmlSink where `out` grows over kMaxDocumentText.
  DocxBody(const DocxStyles& styles, DocxNumbering& numbering, std::string& out,
           DocxLeftOut& left_out)
      : styles_(styles), numbering_(numbering), out_(out), left_out_(left_out) {}

  void begin(const XmlElement& element) override;
  void end(std::string_view name) override;
  void text(std::string_view piece) override;

 private:
  struct Paragraph {
    std::string text;
    std::string style;
    ParagraphKind kind;
  };
  struct Cell {
    std::string text;
    int64_t columns = 1;
  };
  using Row = std::vector<Cell>;
  using Table = std::vector<Row>;

  void begin_run_part(const XmlElement& element);
  void note_left_out(const XmlElement& element);
  void add(std::string_view piece);
  void count(size_t bytes);
  void end_paragraph();
  void end_table();
  Cell* open_cell();
  // A block behind the last one, parted by an empty line unless both are list items.
  void put_block(std::string_view block, bool list_item);

  const DocxStyles& styles_;
  DocxNumbering& numbering_;
  std::string& out_;
  DocxLeftOut& left_out_;
  std::vector<std::string> path_;      // names of the open elements
  std::vector<Paragraph> paragraphs_;  // open ones: a text box stands in a paragraph
  std::vector<Table> tables_;          // open ones
  size_t skipped_at_ = 0;              // depth of an open element that is left out; 0: none
  size_t counted_ = 0;                 // bytes that are held or written
  bool after_list_item_ = false;
};

}  // namespace strata::api
