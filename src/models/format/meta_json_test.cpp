// Values of a GGUF file as JSON and back: the same type and the same bytes; and what is no value.
#include "models/format/meta_json.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "core/testing/expect_error.h"
#include "models/format/gguf.h"
#include "models/format/gguf_builder.h"

namespace strata::models {
namespace {

using strata::testing::error_of;
using ::testing::HasSubstr;

MadeFile empty_file() {
  return MadeFile("test", 0, nullptr, [](auto) {});
}

TEST(MetaJson, ValuesKeepTypeAndBytes) {
  GgufBuilder builder;
  builder.set_u32("u32", 4'000'000'000u);
  builder.set_i32("i32", -7);
  builder.set_u64("u64", UINT64_MAX);
  builder.set_f32("f32", 0.1f);
  builder.set_bool("bool", true);
  builder.set_text("text", "zwölf\n\"Zeichen\"");
  builder.set_texts("texts", {"", "a", "b, c"});
  builder.set_texts("no texts", {});
  builder.set_i32s("i32s", {-1, 0, INT32_MAX});
  builder.set_bools("bools", {true, false});
  builder.set_f32s("f32s", {1e-30f, -0.3f});
  const std::vector<std::byte> bytes = builder.build();
  const auto file = parse_gguf(bytes);
  MadeFile again = empty_file();
  for (const MetaValue& value : file->values()) {
    set_from_json(again, value.key, parse_json(to_json(meta_json(value)), {}));
    const MetaValue* twin = again.find(value.key);
    ASSERT_NE(twin, nullptr) << value.key;
    EXPECT_EQ(twin->type, value.type) << value.key;
    EXPECT_EQ(twin->count, value.count) << value.key;
    if (value.type == MetaType::array) {
      EXPECT_EQ(twin->element, value.element) << value.key;
    }
    EXPECT_TRUE(std::ranges::equal(twin->bytes, value.bytes)) << value.key;
  }
}

TEST(MetaJson, WhatIsNoValueIsRefusedWithItsKey) {
  for (const char* text :
       {R"(3)", R"({"type": "u32"})", R"({"value": 3})", R"({"type": "array", "value": [[3]]})",
        R"({"type": "u33", "value": 3})", R"({"type": "u8", "value": 256})",
        R"({"type": "u8", "value": -1})", R"({"type": "i8", "value": 128})",
        R"({"type": "u64", "value": -1})", R"({"type": "i64", "value": 9223372036854775808})",
        R"({"type": "u32", "value": 3.5})", R"({"type": "u32", "value": "3"})",
        R"({"type": "f32", "value": 1e300})", R"({"type": "bool", "value": 1})",
        R"({"type": "string", "value": 1})", R"({"type": "string", "value": ["a", 1]})",
        R"({"type": "i32", "value": [[1]]})", R"({"type": "i32", "value": null})"}) {
    MadeFile file = empty_file();
    const Error error = error_of([&] { set_from_json(file, "general.k", parse_json(text, {})); });
    EXPECT_EQ(error.code(), Code::invalid_argument) << text;
    EXPECT_THAT(error.message(), HasSubstr("'general.k'")) << text;
    EXPECT_EQ(file.find("general.k"), nullptr) << text;
  }
}

}  // namespace
}  // namespace strata::models
