// Commands that run a text through a model, on one of 128 positions: what they cannot do is said
// before they begin.
#include "app/cli/measuring.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/os.h"
#include "core/testing/expect_error.h"
#include "core/testing/temp_folder.h"
#include "models/testing/formula_model.h"

namespace strata::app {
namespace {

namespace fs = std::filesystem;
using strata::testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

class Measuring : public ::testing::Test {
 protected:
  Measuring() {
    const auto bytes = models::tiny_llama().build();
    write_file_atomic(model(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    write_file_atomic(text(), std::string(300, 'x'));
    write_file_atomic(short_text(), std::string(100, 'x'));
  }

  fs::path in(const char* name) const { return folder_.path() / name; }
  fs::path model() const { return in("tiny.gguf"); }
  fs::path text() const { return in("text"); }
  fs::path short_text() const { return in("short"); }

  static void run(const std::vector<std::string>& words) {
    const auto [command, taken] = find_command(words);
    const std::vector<std::string> rest(words.begin() + static_cast<long>(taken), words.end());
    EXPECT_EQ(command->run(parse_arguments(command->spec(), rest)), 0);
  }
  static std::string shown(const std::vector<std::string>& words) {
    ::testing::internal::CaptureStdout();
    run(words);
    return ::testing::internal::GetCapturedStdout();
  }

  strata::testing::TempFolder folder_;
};

TEST_F(Measuring, AChunkIsNoLongerThanTheModel) {
  const auto found =
      parse_json(shown({"perplexity", model(), "--text", text(), "--quiet", "--json"}));
  EXPECT_EQ(found.at("chunks"), 2);
  EXPECT_EQ(found.at("tokens_scored"), 2 * 63);
  const Error error = error_of(
      [&] { run({"perplexity", model(), "--text", text(), "--context", "129", "--quiet"}); });
  EXPECT_EQ(error.code(), Code::invalid_argument);
  EXPECT_THAT(error.message(), HasSubstr("--context is 129"));
  EXPECT_THAT(error.message(), HasSubstr("has 128 positions"));
}

TEST_F(Measuring, FiguresForPeopleHaveFourDecimalsAndNoQuotes) {
  const std::string out = shown({"perplexity", model(), "--text", text(), "--quiet"});
  EXPECT_THAT(out, ::testing::ContainsRegex("perplexity          [0-9]+\\.[0-9]{4}\n"));
  EXPECT_THAT(out, Not(HasSubstr("\"")));
}

TEST_F(Measuring, ATextThatIsTooShortIsRefusedBeforeAnythingIsWritten) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"quantize", model(), "Q8_0", in("out"), "--check", short_text(), "--quiet"},
           {"imatrix", model(), short_text(), in("out"), "--quiet"},
           {"perplexity", model(), "--text", short_text(), "--quiet"}}) {
    const Error error = error_of([&] { run(words); });
    EXPECT_EQ(error.code(), Code::invalid_argument) << words[0];
    EXPECT_THAT(error.message(), HasSubstr("one chunk takes 128")) << words[0];
    EXPECT_FALSE(fs::exists(in("out"))) << words[0];
  }
}

TEST_F(Measuring, WhatIsCheckedIsReadInChunksOfTheModel) {
  const auto report = parse_json(
      shown({"quantize", model(), "Q8_0", in("out"), "--check", text(), "--quiet", "--json"}));
  EXPECT_EQ(report.at("check").at("tokens_scored"), 2 * 63);
}

TEST_F(Measuring, ABenchTakesNoMorePositionsThanThereAre) {
  const auto found = parse_json(
      shown({"bench", model(), "--generate", "0", "--rounds", "1", "--quiet", "--json"}));
  EXPECT_EQ(found.at("cases").as_array().size(), 1u);
  const Error error = error_of([&] { run({"bench", model(), "--depth", "100", "--quiet"}); });
  EXPECT_EQ(error.code(), Code::invalid_argument);
  EXPECT_THAT(error.message(), HasSubstr("228 positions"));
}

TEST_F(Measuring, MoreMemoryThanThereIsIsRefusedWithBothNumbers) {
  const auto loaded = models::load_model(model(), "tiny");
  EXPECT_EQ(float32_bytes(*loaded), 4u * 17056);
  EXPECT_GT(fast_bytes(*loaded, 100'000, tensor::KvFormat::bf16),
            fast_bytes(*loaded, 64, tensor::KvFormat::bf16));
  require_memory("tiny", "", 1, "");
  const Error error =
      error_of([] { require_memory("huge", " as float32", uint64_t{1} << 60, "a hint"); });
  EXPECT_EQ(error.code(), Code::resource_exhausted);
  EXPECT_THAT(error.message(), HasSubstr("of memory as float32, "));
  EXPECT_EQ(error.hint(), "a hint");
}

TEST_F(Measuring, ConvertWritesNoTypesInBlocks) {
  for (const char* to : {"gguf", "safetensors"}) {
    const Error error = error_of(
        [&] { run({"convert", model(), in("out"), "--type", "q4_k_m", "--to", to, "--quiet"}); });
    EXPECT_EQ(error.code(), Code::invalid_argument);
    EXPECT_THAT(error.message(), HasSubstr("F32, F16 or BF16"));
    EXPECT_THAT(error.hint(), HasSubstr("strata quantize"));
    EXPECT_THAT(error.hint(), HasSubstr("Q4_K_M"));
    EXPECT_FALSE(fs::exists(in("out")));
  }
}

TEST_F(Measuring, OfAPathThatIsNoModelIsSaidWhatIsMissing) {
  fs::create_directory(in("empty"));
  for (const char* command : {"quantize", "convert", "perplexity"}) {
    std::vector<std::string> words{command, in("none")};
    if (words[0] == "quantize") words.emplace_back("Q8_0");
    EXPECT_THAT(error_of([&] { run(words); }).message(), HasSubstr("there is no folder /"));
    words[1] = in("empty");
    EXPECT_THAT(error_of([&] { run(words); }).message(), HasSubstr("empty has no config.json"));
  }
  const Error error = error_of([&] { run({"show", in("empty")}); });
  EXPECT_THAT(error.message(), HasSubstr("is no model name"));
  EXPECT_THAT(error.hint(), HasSubstr("strata pull /"));
}

}  // namespace
}  // namespace strata::app
