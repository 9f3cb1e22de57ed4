// What `strata show` says of a tiny model with weights of three types.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/cli/command.h"
#include "core/json.h"
#include "core/testing/temp_folder.h"
#include "models/hub/store.h"
#include "models/quantized/weight_storage.h"
#include "models/testing/formula_model.h"

namespace strata::app {
namespace {

using ::testing::HasSubstr;

void retype(models::GgufBuilder& builder, std::string_view name, tensor::DType type) {
  auto& tensor = *builder.find_tensor(name);
  tensor.type = static_cast<uint32_t>(type);
  tensor.data.resize(tensor.data.size() / 2);  // from float32 to a type of 16 bits
}

class ShowTest : public ::testing::Test {
 protected:
  ShowTest() {
    setenv("STRATA_HOME", home_.path().c_str(), 1);
    auto builder = models::tiny_llama();  // 17,056 weights
    builder.set_u32("general.file_type", 1);
    retype(builder, "token_embd.weight", tensor::DType::f16);  // 1,536 of them
    builder.set_f32("general.sampling.temp", 0.25f);
    builder.set_text("general.license", "MIT");
    builder.set_text(models::kStorageKey, "GPTQ, 4 bits in groups of 32");
    builder.set_text(models::kStorageNoteKey, "computed in higher precision");
    retype(builder, "output_norm.weight", tensor::DType::bf16);  // 32
    const auto bytes = builder.build();
    const models::Store store;
    const auto held = store.hold();
    models::Manifest manifest;
    manifest.name = "tiny:latest";
    manifest.model = {store.put_blob({reinterpret_cast<const char*>(bytes.data()), bytes.size()})};
    store.put_manifest(manifest);
  }
  ~ShowTest() override { unsetenv("STRATA_HOME"); }

  static std::string shown(const std::vector<std::string>& words) {
    const Command& show = *find_command({"show"}).first;
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(show.run(parse_arguments(show.spec(), words)), 0);
    return ::testing::internal::GetCapturedStdout();
  }

  strata::testing::TempFolder home_;
};

TEST_F(ShowTest, TheTypesOfTheWeightsStandBesideTheMixturesName) {
  EXPECT_THAT(shown({"tiny"}),
              HasSubstr("quantisation    F16 (F32 91 %, F16 9 %, BF16 under 1 %)\n"));
}

TEST_F(ShowTest, SettingsAndLicenceOfTheFileAreShownLikeThoseOfAModelfile) {
  EXPECT_EQ(shown({"tiny", "--parameters"}), "  temperature         0.25\n");
  EXPECT_EQ(shown({"tiny", "--licence"}), "MIT\n");
  const models::Store store;
  auto manifest = store.find("tiny");
  manifest.overrides.parameters = {{"temperature", "0.5"}, {"stop", "x"}};
  store.put_manifest(manifest);
  EXPECT_EQ(shown({"tiny", "--parameters"}),
            "  stop                x\n  temperature         0.5\n");
  EXPECT_EQ(parse_json(shown({"tiny", "--json"})).at("settings").at("temperature"), "0.5");
}

TEST_F(ShowTest, HowAFoldersWeightsWereQuantisedIsSaid) {
  EXPECT_THAT(shown({"tiny"}), HasSubstr("quantised as    GPTQ, 4 bits in groups of 32\n"));
  EXPECT_THAT(shown({"tiny"}), HasSubstr("note            computed in higher precision\n"));
  EXPECT_THAT(shown({"tiny"}), HasSubstr(" bits a weight, sha256 "));
  const auto facts = parse_json(shown({"tiny", "--json"}));
  EXPECT_EQ(facts.at("quantised_as"), "GPTQ, 4 bits in groups of 32");
  EXPECT_GT(facts.at("bits_per_weight").as_double(), 29);
}

TEST_F(ShowTest, JsonHasTheSharesAsNumbers) {
  const auto facts = parse_json(shown({"tiny", "--json"}));
  EXPECT_EQ(facts.at("quantisation"), "F16");
  const auto& shares = facts.at("quantisation_shares").as_object();
  EXPECT_EQ(shares.size(), 3u);
  EXPECT_NEAR(shares.at("F32").as_double(), 15488.0 / 17056, 1e-9);
  EXPECT_NEAR(shares.at("F16").as_double(), 1536.0 / 17056, 1e-9);
  EXPECT_NEAR(shares.at("BF16").as_double(), 32.0 / 17056, 1e-9);
}

}  // namespace
}  // namespace strata::app
