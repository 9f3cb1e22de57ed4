#include "api/http/multipart.h"

#include <gtest/gtest.h>

#include "core/testing/expect_error.h"

namespace strata::api {
namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=XX";

std::string part(std::string_view disposition, std::string_view content) {
  return fmt::format("--XX\r\nContent-Disposition: form-data; {}\r\n\r\n{}\r\n", disposition,
                     content);
}

TEST(Multipart, FieldsAndFilesAreTakenApart) {
  const std::string body =
      part(R"(name="purpose")", "batch") +
      part(R"(name="file"; filename="C:\\dir/a \"b\".jsonl")", "one\r\n--X\r\ntwo\r\n") +
      "--XX--\r\n";
  const auto parts = read_form(kType, body);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].name, "purpose");
  EXPECT_FALSE(parts[0].filename);
  EXPECT_EQ(parts[0].content, "batch");
  EXPECT_EQ(parts[1].filename, "a \"b\".jsonl");
  EXPECT_EQ(parts[1].content, "one\r\n--X\r\ntwo\r\n");
}

TEST(Multipart, QuotedBoundariesPreamblesAndOtherHeadersAreRead) {
  const std::string body =
      "preamble\r\n--a b\r\ncontent-type: text/plain\r\n"
      "CONTENT-DISPOSITION: form-data; name=file; filename=x\r\n\r\n\r\n--a b--";
  const auto parts = read_form("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", body);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].filename, "x");
  EXPECT_EQ(parts[0].content, "");
  EXPECT_TRUE(read_form(kType, "--XX--").empty());
}

TEST(Multipart, BrokenFormsAreRefused) {
  const std::string one = part(R"(name="a")", "b");
  std::string many;
  for (size_t i = 0; i <= kMaxFormParts; ++i) many += one;
  for (const auto& [type, body] : std::vector<std::pair<std::string, std::string>>{
           {"application/json", "{}"},
           {"multipart/form-data", one + "--XX--"},
           {"multipart/form-data; boundary=", one + "--XX--"},
           {"multipart/form-data; boundary=\"XX", one + "--XX--"},
           {"multipart/form-data; boundary=" + std::string(71, 'X'), one + "--XX--"},
           {std::string(kType), ""},
           {std::string(kType), "--XX"},
           {std::string(kType), "--XX\r\n"},
           {std::string(kType), one},
           {std::string(kType), one + "--XXjunk"},
           {std::string(kType), "--XX\r\n\r\nno header\r\n--XX--"},
           {std::string(kType), "--XX\r\nno colon\r\n\r\nx\r\n--XX--"},
           {std::string(kType), "--XX\r\nContent-Type: a\r\n\r\nx\r\n--XX--"},
           {std::string(kType), part("filename=\"x\"", "no name") + "--XX--"},
           {std::string(kType), part("name=\"\xff\"", "x") + "--XX--"},
           {std::string(kType), part("name=\"a", "x") + "--XX--"},
           {std::string(kType), many + "--XX--"},
           {std::string(kType), part("name=\"" + std::string(5000, 'a') + "\"", "x") + "--XX--"}}) {
    const Error error = strata::testing::error_of([&] { read_form(type, body); });
    EXPECT_EQ(error.code(), Code::invalid_argument) << type << body.substr(0, 100);
  }
}

}  // namespace
}  // namespace strata::api
