#include "api/document/docx.h"

#include <gtest/gtest.h>

#include "api/document/limits.h"
#include "core/testing/expect_error.h"
#include "models/hub/testing.h"

namespace strata::api {
namespace {

using models::testing::make_zip;
using models::testing::ZipEntry;
using strata::testing::error_of;

constexpr std::string_view kNames =
    R"( xmlns:x="http://schemas.openxmlformats.org/wordprocessingml/2006/main")"
    R"( xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006")"
    R"( xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main")";

// Another prefix than Word's own: names are told by their namespace.
std::string part(std::string_view root, std::string_view content) {
  return fmt::format("<x:{0}{1}>{2}</x:{0}>", root, kNames, content);
}

std::string paragraph(std::string_view text, std::string_view properties = "") {
  return fmt::format("<x:p><x:pPr>{}</x:pPr><x:r><x:t>{}</x:t></x:r></x:p>", properties, text);
}

DocumentText read_archive(const std::string& bytes) {
  File archive = File::in_memory(bytes);
  return read_docx(archive);
}

DocumentText read_body(std::string_view body, std::vector<ZipEntry> others = {}) {
  others.push_back({"word/document.xml", part("document", body), true});
  return read_archive(make_zip(others));
}

std::string refusal(const std::string& bytes) {
  const Error error = error_of([&] { read_archive(bytes); });
  EXPECT_EQ(error.code(), Code::invalid_argument) << error.message();
  return error.message();
}

std::string refused_body(std::string_view body) {
  return refusal(make_zip({{"word/document.xml", part("document", body), true}}));
}

const ZipEntry kStyles{"word/styles.xml", part("styles", R"(
  <x:style x:styleId="berschrift1"><x:name x:val="heading 1"/>
    <x:pPr><x:outlineLvl x:val="0"/></x:pPr></x:style>
  <x:style x:styleId="own"><x:basedOn x:val="berschrift1"/></x:style>
  <x:style x:styleId="a"><x:basedOn x:val="b"/></x:style>
  <x:style x:styleId="b"><x:basedOn x:val="a"/></x:style>
  <x:style x:styleId="dots"><x:pPr><x:numPr><x:numId x:val="1"/></x:numPr></x:pPr></x:style>)"),
                       true};
const ZipEntry kNumbering{"word/numbering.xml", part("numbering", R"(
  <x:abstractNum x:abstractNumId="7"><x:lvl x:ilvl="0"><x:numFmt x:val="bullet"/></x:lvl>
    <x:lvl x:ilvl="1"><x:start x:val="3"/><x:numFmt x:val="lowerLetter"/></x:lvl></x:abstractNum>
  <x:num x:numId="1"><x:abstractNumId x:val="7"/></x:num>)"),
                          true};

std::string item(std::string_view text, int level) {
  return paragraph(
      text, fmt::format(R"(<x:numPr><x:ilvl x:val="{}"/><x:numId x:val="1"/></x:numPr>)", level));
}

TEST(Docx, HeadingsAreToldByTheStylesOutlineWhateverItIsCalled) {
  const auto style = [](std::string_view name) {
    return fmt::format(R"(<x:pStyle x:val="{}"/>)", name);
  };
  const auto read = read_body(paragraph("One", style("berschrift1")) +
                                  paragraph("Two", style("own") + R"(<x:outlineLvl x:val="2"/>)") +
                                  paragraph("Three", style("own")) + paragraph("text", style("a")),
                              {kStyles});
  EXPECT_EQ(read.text, "# One\n\n### Two\n\n# Three\n\ntext");
  EXPECT_TRUE(read.notes.empty());
}

TEST(Docx, ListsAreCountedByLevelAndBeginAnewBelowANewItem) {
  const auto read = read_body(
      paragraph("before") + item("a", 0) + item("b", 1) + item("c", 1) + item("d", 0) +
          item("e", 1) + paragraph("f", R"(<x:pStyle x:val="dots"/>)") + paragraph("after"),
      {kStyles, kNumbering});
  EXPECT_EQ(read.text, "before\n\n- a\n  3. b\n  4. c\n- d\n  3. e\n- f\n\nafter");
}

TEST(Docx, TablesHaveARowALineWithWhatIsInTheirCells) {
  const auto cell = [](std::string_view content, std::string_view properties = "") {
    return fmt::format("<x:tc><x:tcPr>{}</x:tcPr>{}</x:tc>", properties, content);
  };
  const std::string inner = "<x:tbl><x:tr>" + cell(paragraph("in")) + "</x:tr></x:tbl>";
  const auto read = read_body(
      "<x:tbl><x:tr>" + cell(paragraph("wide"), R"(<x:gridSpan x:val="2"/>)") + "</x:tr><x:tr>" +
      cell(paragraph("a|b") + paragraph("c")) + cell(inner) + "</x:tr></x:tbl>" + paragraph("end"));
  EXPECT_EQ(read.text, "| wide |  |\n| --- | --- |\n| a\\|b c | \\| in \\| \\| --- \\| |\n\nend");
}

TEST(Docx, TextIsWhatStandsThereNowAndTheRestIsTold) {
  const auto read = read_body(
      R"(
    <x:p><x:r><x:t>now</x:t><x:tab/><x:t>tab</x:t><x:br/><x:t>line</x:t><x:noBreakHyphen/></x:r>
      <x:del><x:r><x:delText>gone</x:delText><x:t>gone</x:t></x:r></x:del>
      <x:ins><x:r><x:t>new</x:t></x:r></x:ins>
      <x:r><x:instrText>PAGEREF evil</x:instrText><x:footnoteReference x:id="2"/></x:r>
      <mc:AlternateContent><mc:Choice><x:r><x:t>once</x:t><a:blip/></x:r></mc:Choice>
        <mc:Fallback><x:r><x:t>twice</x:t><a:blip/></x:r></mc:Fallback></mc:AlternateContent>
    </x:p><x:sectPr><x:headerReference/></x:sectPr>)",
      {{"word/footnotes.xml",
        part("footnotes", R"(<x:footnote x:type="separator" x:id="0">)" + paragraph("line") +
                              R"(</x:footnote><x:footnote x:id="2">)" + paragraph("below") +
                              R"(</x:footnote><x:footnote x:id="3"></x:footnote>)"),
        true}});
  EXPECT_EQ(read.text, "now\ttab\nline-new[^2]once\n\n[^2]: below");
  EXPECT_EQ(read.notes,
            (std::vector<std::string>{"left out: pictures: 1", "left out: headers and footers",
                                      "left out: tracked deletions: 1"}));
}

TEST(DocxHostile, EntitiesAndDocumentTypesAreRefused) {
  std::string bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\">";
  for (char c = 'b'; c <= 'k'; ++c) {
    bomb += fmt::format("<!ENTITY {0} \"&{1};&{1};&{1};&{1};&{1};&{1};&{1};&{1};\">", c,
                        static_cast<char>(c - 1));
  }
  for (const std::string& head :
       {bomb + "]>", std::string("<!DOCTYPE x SYSTEM \"file:///etc/passwd\">"),
        std::string("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>")}) {
    const auto said = refusal(
        make_zip({{"word/document.xml", head + part("document", paragraph("&k;&e;")), true}}));
    EXPECT_NE(said.find("document type"), std::string::npos) << said;
  }
}

TEST(DocxHostile, DepthSizeAndTextAreLimited) {
  std::string deep, ends;
  for (int i = 0; i < 10'000; ++i) {
    deep += "<x:tbl><x:tr><x:tc>";
    ends += "</x:tc></x:tr></x:tbl>";
  }
  EXPECT_NE(refused_body(deep + ends).find("256 deep"), std::string::npos);
  EXPECT_NE(refusal(make_zip({{"word/document.xml", std::string(64u << 20, ' '), true}}))
                .find("67108864 bytes unpacked"),
            std::string::npos);
  EXPECT_NE(refused_body(paragraph(std::string(kMaxDocumentText + 1, 'a'))).find("over the limit"),
            std::string::npos);
  std::string cells = "<x:tbl><x:tr>";
  for (int i = 0; i < 1'000'000; ++i) cells += "<x:tc/>";
  EXPECT_NE(refused_body(cells + "</x:tr></x:tbl>").find("over the limit"), std::string::npos);
  // Columns of merged cells are not counted where they are read, but where they are written.
  std::string spans = "<x:tbl><x:tr>";
  for (int i = 0; i < 20'000; ++i) {
    spans += R"(<x:tc><x:tcPr><x:gridSpan x:val="63"/></x:tcPr></x:tc>)";
  }
  EXPECT_NE(refused_body(spans + "</x:tr></x:tbl>").find("the limit is"), std::string::npos);
}

TEST(DocxHostile, WhatEndsAnywhereIsRefusedWithAWord) {
  const std::string whole =
      make_zip({kStyles, {"word/document.xml", part("document", paragraph("text")), true}});
  EXPECT_EQ(read_archive(whole).text, "text");
  for (size_t size = 0; size < whole.size(); size += 7) {
    EXPECT_FALSE(refusal(whole.substr(0, size)).empty()) << size;
  }
  EXPECT_NE(refusal(make_zip({{"xl/workbook.xml", "<a/>", true}})).find("no DOCX"),
            std::string::npos);
  EXPECT_NE(refused_body("<x:p><x:r>").find("damaged"), std::string::npos);
  EXPECT_NE(refused_body("<x:p/><a:blip/>").find("no text (1 pictures)"), std::string::npos);
}

}  // namespace
}  // namespace strata::api
