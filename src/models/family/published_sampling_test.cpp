#include "models/family/published_sampling.h"

#include <gmock/gmock.h>

#include "core/testing/expect_error.h"

namespace strata::models {
namespace {

using strata::testing::error_of;

std::unique_ptr<MadeFile> file_of(const char* generation) {
  auto file = std::make_unique<MadeFile>("test", 0, nullptr, [](auto) {});
  set_published_sampling(parse_json(generation).as_object(), *file);
  return file;
}

// As Llama 3.1 is published, and with what others say.
TEST(PublishedSampling, BecomesGgufsKeysAndComesBack) {
  const char* published =
      R"({"do_sample": true, "eos_token_id": [1, 2], "temperature": 0.6, "top_k": 20,
      "top_p": 0.95, "min_p": null, "repetition_penalty": 1.05})";
  const auto file = file_of(published);
  EXPECT_FLOAT_EQ(static_cast<float>(*file->number("general.sampling.temp")), 0.6f);
  EXPECT_EQ(file->integer("general.sampling.top_k"), 20);
  EXPECT_FALSE(file->find("general.sampling.min_p"));
  EXPECT_EQ(file->integer("general.sampling.penalty_last_n"), -1) << "the whole text";
  json::object again;
  add_published_sampling(*file, again);
  json::object expected = parse_json(published).as_object();
  for (const char* other : {"eos_token_id", "min_p"}) expected.erase(other);
  EXPECT_EQ(again, expected);
}

TEST(PublishedSampling, WhatSamplesNothingIsGreedy) {
  const auto file = file_of(R"({"do_sample": false, "temperature": 1.0, "top_p": 0.9})");
  EXPECT_EQ(file->number("general.sampling.temp"), 0.0);
  json::object again;
  add_published_sampling(*file, again);
  EXPECT_EQ(again.at("do_sample"), false);
  EXPECT_FALSE(again.contains("temperature")) << "which must be above 0 there";
  const auto off = file_of(R"({"bos_token_id": 1, "repetition_penalty": 1})");
  EXPECT_TRUE(off->find("general.sampling.penalty_repeat"));
  EXPECT_FALSE(off->find("general.sampling.penalty_last_n"));
}

TEST(PublishedSampling, BrokenValuesAreNamed) {
  for (const auto& [text, field] :
       {std::pair{R"({"temperature": "hot"})", "'temperature'"},
        std::pair{R"({"top_k": 1.5})", "'top_k'"}, std::pair{R"({"top_k": 1e300})", "'top_k'"},
        std::pair{R"({"do_sample": 1})", "'do_sample'"}}) {
    const Error error = error_of([text = text] { file_of(text); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_THAT(error.message(), ::testing::HasSubstr("generation_config.json"));
    EXPECT_THAT(error.message(), ::testing::HasSubstr(field));
  }
}

}  // namespace
}  // namespace strata::models
