// What is made of pdftotext's answers; that it answers so is tests/end_to_end/attachments.py.
#include "api/document/pdf.h"

#include <gtest/gtest.h>

#include "api/document/limits.h"
#include "core/testing/expect_error.h"

namespace strata::api {
namespace {

using strata::testing::error_of;

std::string refusal(int exit_code, std::string_view output, std::string_view errors = "") {
  const Error error = error_of([&] { pdf_document(exit_code, output, errors); });
  EXPECT_EQ(error.code(), Code::invalid_argument);
  return error.message();
}

TEST(Pdf, PagesAreNumberedAndThoseWithoutTextAreNamed) {
  const Document read = pdf_document(0, "one\n\n\f \n\f three\n\f", "");
  EXPECT_EQ(read.pages, 3);
  EXPECT_EQ(read.read.text, "[page 1]\none\n\n[page 3]\nthree");
  ASSERT_EQ(read.read.notes.size(), 1u);
  EXPECT_TRUE(read.read.notes[0].ends_with("not read): 2"));
  std::string many = "text\f";
  for (int i = 0; i < 40; ++i) many += '\f';
  EXPECT_TRUE(pdf_document(0, many, "").read.notes[0].ends_with("10, 11 and 30 more"));
}

TEST(Pdf, OnePageIsItsText) {
  EXPECT_EQ(pdf_document(0, "a\nb\f", "").read.text, "a\nb");
  EXPECT_EQ(pdf_document(0,
                         "a\xff"
                         "b\f",
                         "")
                .read.text,
            "a\xEF\xBF\xBD"
            "b");
}

TEST(Pdf, DamageIsToldBesideTheTextThatWasFound) {
  const Document read = pdf_document(0, "a\f", "Syntax Error: Couldn't find trailer dictionary\n");
  EXPECT_EQ(read.read.notes, std::vector<std::string>{"the file is damaged: text may be missing"});
}

TEST(Pdf, WhatIsLockedScannedOrTooLongIsRefused) {
  EXPECT_NE(refusal(1, "", "Command Line Error: Incorrect password\n").find("encrypted"),
            std::string::npos);
  EXPECT_NE(refusal(3, "", "").find("encrypted"), std::string::npos);
  EXPECT_EQ(refusal(1, "", "Syntax Error: May not be a PDF file\nmore\n"),
            "the PDF file is damaged: Syntax Error: May not be a PDF file");
  EXPECT_NE(refusal(139, "", "").find("code 139"), std::string::npos);
  EXPECT_NE(refusal(0, "\f\f\f").find("on its 3 pages"), std::string::npos);
  EXPECT_NE(refusal(0, std::string(kMaxDocumentText + 1, 'a')).find("over the limit"),
            std::string::npos);
}

TEST(Document, KindsAreToldByContent) {
  EXPECT_EQ(document_kind("%PDF-1.4\n1 0 obj"), DocumentKind::pdf);
  EXPECT_EQ(document_kind("junk\xff\n%PDF-1.4\n"), DocumentKind::pdf);
  EXPECT_EQ(document_kind("A file begins with %PDF-1.4."), DocumentKind::text);
  EXPECT_EQ(document_kind("PK\x03\x04rest"), DocumentKind::docx);
  EXPECT_EQ(document_kind("Gr\xC3\xBC\xC3\x9F"
                          "e"),
            DocumentKind::text);
  const std::vector<std::string> refused{"", "\x89PNG", std::string("a\0b", 3),
                                         "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"};
  for (const std::string& bytes : refused) {
    EXPECT_EQ(error_of([&] { document_kind(bytes); }).code(), Code::invalid_argument);
  }
}

}  // namespace
}  // namespace strata::api
