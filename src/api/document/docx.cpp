#include "api/document/docx.h"

#include "api/document/docx_body.h"
#include "api/document/docx_styles.h"
#include "api/document/limits.h"
#include "core/error.h"
#include "models/hub/zip.h"

namespace strata::api {
namespace {

// What an archive's reader refuses is a document that is refused.
template <typename Work>
auto as_document(Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() == Code::invalid_argument) throw;
    throw Error(Code::invalid_argument,
                fmt::format("the document is damaged or of another kind: {}", error.message()),
                "save it anew as DOCX");
  }
}

// Feeds a part to the sink; false where the archive has none of this name.
bool read_part(File& archive, const std::string& name, XmlSink& sink) {
  models::ZipMember member;
  try {
    member = models::find_in_zip(archive, name, "the document");
  } catch (const Error& error) {
    if (error.code() == Code::not_found) return false;
    throw;
  }
  if (member.size > kMaxDocumentPart) {
    throw Error(Code::invalid_argument, fmt::format("{} has {} bytes unpacked, the limit is {}",
                                                    name, member.size, kMaxDocumentPart));
  }
  XmlReader reader(sink, name);
  models::read_zip_member(archive, member, [&](auto bytes) { reader.feed(bytes); });
  reader.finish();
  return true;
}

// Footnotes or endnotes: each begins with the mark that stands in the text.
class DocxNotes : public XmlSink {
 public:
  DocxNotes(DocxBody& body, std::string& out, std::string mark)
      : body_(body), out_(out), mark_(std::move(mark)) {}
  void begin(const XmlElement& element) override {
    if (element.name == "w:footnote" || element.name == "w:endnote") {
      // Lines between text and notes are notes of a type.
      const std::string_view type = element.attribute("w:type");
      is_text_ = type.empty() || type == "normal";
      id_ = element.attribute("w:id");
      from_ = out_.size();
    }
    if (is_text_) body_.begin(element);
  }
  void end(std::string_view name) override {
    if (!is_text_) return;
    body_.end(name);
    if (name != "w:footnote" && name != "w:endnote") return;
    is_text_ = false;  // also behind one without text
    const size_t text = out_.find_first_not_of('\n', from_);
    if (text != std::string::npos) out_.insert(text, fmt::format("[^{}{}]: ", mark_, id_));
  }
  void text(std::string_view piece) override {
    if (is_text_) body_.text(piece);
  }

 private:
  DocxBody& body_;
  std::string& out_;
  std::string mark_, id_;
  size_t from_ = 0;
  bool is_text_ = false;
};

std::vector<std::string> notes_of(const DocxLeftOut& left_out) {
  std::vector<std::string> notes;
  if (left_out.pictures > 0) notes.push_back(fmt::format("pictures: {}", left_out.pictures));
  if (left_out.objects > 0)
    notes.push_back(fmt::format("charts and objects: {}", left_out.objects));
  if (left_out.headers) notes.emplace_back("headers and footers");
  if (left_out.comments) notes.emplace_back("comments");
  if (left_out.deletions > 0) {
    notes.push_back(fmt::format("tracked deletions: {}", left_out.deletions));
  }
  for (auto& note : notes) note = "left out: " + note;
  return notes;
}

DocumentText read_parts(File& archive) {
  DocxStyles styles;
  DocxNumbering numbering;
  read_part(archive, "word/styles.xml", styles);
  read_part(archive, "word/numbering.xml", numbering);
  DocumentText read;
  DocxLeftOut left_out;
  DocxBody body(styles, numbering, read.text, left_out);
  if (!read_part(archive, "word/document.xml", body)) {
    throw Error(Code::invalid_argument, "the archive is no DOCX file: it has no word/document.xml",
                "attach a PDF, a DOCX or a text file");
  }
  DocxNotes footnotes(body, read.text, "");
  read_part(archive, "word/footnotes.xml", footnotes);
  DocxNotes endnotes(body, read.text, "end-");
  read_part(archive, "word/endnotes.xml", endnotes);
  if (read.text.empty()) {
    throw Error(Code::invalid_argument,
                fmt::format("the document has no text ({} pictures)", left_out.pictures));
  }
  if (read.text.size() > kMaxDocumentText) {  // with what tables and lists add
    throw Error(Code::invalid_argument,
                fmt::format("the document's text has {} bytes, the limit is {}", read.text.size(),
                            kMaxDocumentText),
                "attach a part of it");
  }
  read.notes = notes_of(left_out);
  return read;
}

}  // namespace

DocumentText read_docx(File& archive) {
  return as_document([&] { return read_parts(archive); });
}

}  // namespace strata::api
