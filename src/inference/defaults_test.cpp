#include "inference/defaults.h"

#include <list>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/expect_error.h"
#include "models/hub/modelfile.h"

namespace strata::inference {
namespace {

using models::Parameters;

std::string refusal(const Parameters& parameters) {
  try {
    parse_parameters(parameters);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::invalid_argument);
    return e.message() + " / " + e.hint();
  }
  return "accepted";
}

// A file that has metadata only.
class SettingsFile : public models::ModelFile {
 public:
  void add(std::string key, float value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    payloads_.push_back({std::move(key), {bytes, bytes + sizeof value}});
    values_.clear();
    for (const auto& [name, payload] : payloads_) {
      values_.push_back({name, models::MetaType::f32, models::MetaType::u8, 1, payload});
    }
  }
  std::string format() const override { return "settings"; }
  uint64_t file_bytes() const override { return 0; }
  std::span<const models::MetaValue> values() const override { return values_; }
  std::span<const models::TensorInfo> tensors() const override { return {}; }
  const models::MetaValue* find(std::string_view key) const override {
    for (const models::MetaValue& value : values_) {
      if (value.key == key) return &value;
    }
    return nullptr;
  }
  const models::TensorInfo* find_tensor(std::string_view) const override { return nullptr; }
  void release(const models::TensorInfo&) const override {}

 private:
  std::list<std::pair<std::string, std::vector<std::byte>>> payloads_;
  std::vector<models::MetaValue> values_;
};

TEST(Defaults, settings_in_the_file_stand_between_the_products_and_the_modelfiles) {
  auto file = std::make_shared<SettingsFile>();
  file->add("general.sampling.temp", 0.25f);
  file->add("general.sampling.top_p", 0.5f);
  models::Model model;
  model.file = file;
  model.overrides.parameters = {{"top_p", "0.75"}};
  const GenerationDefaults d = generation_defaults(model);
  EXPECT_EQ(d.sampler.temperature, 0.25f);
  EXPECT_EQ(d.sampler.top_p, 0.75f);
  EXPECT_EQ(d.sampler.top_k, 40);
  EXPECT_EQ(own_parameters(*file, model.overrides.parameters),
            (Parameters{{"temperature", "0.25"}, {"top_p", "0.75"}}))
      << "what is taken is what is shown";
  file->add("general.sampling.min_p", 7.0f);
  const auto refused = strata::testing::error_of([&] { generation_defaults(model); });
  EXPECT_NE(refused.message().find("general.sampling.min_p"), std::string::npos);
  EXPECT_NE(refused.message().find("'7'"), std::string::npos) << refused.message();
  model.overrides.parameters.emplace("min_p", "0.5");
  EXPECT_EQ(generation_defaults(model).sampler.min_p, 0.5f) << "the way out";
}

TEST(Defaults, without_a_word_from_the_model_they_are_ollamas) {
  const GenerationDefaults d = generation_defaults(models::Model{});
  EXPECT_EQ(d.sampler.temperature, 0.8f);
  EXPECT_EQ(d.sampler.top_k, 40);
  EXPECT_EQ(d.sampler.top_p, 0.9f);
  EXPECT_EQ(d.sampler.min_p, 0.0f);
  EXPECT_EQ(d.sampler.repeat_last_n, 64);
  EXPECT_EQ(d.sampler.repeat_penalty, 1.0f);
  EXPECT_EQ(d.max_tokens, -1);
  EXPECT_FALSE(d.seed_given);
  EXPECT_FALSE(d.num_ctx.has_value());
}

TEST(Defaults, parameters_of_a_modelfile_go_over_them) {
  models::Model model;
  model.overrides = models::parse_modelfile(R"(FROM x
PARAMETER temperature 0.1
PARAMETER top_k 5
PARAMETER seed 42
PARAMETER num_predict -2
PARAMETER num_ctx 8192
PARAMETER stop <a>
PARAMETER stop <b>
PARAMETER repeat_last_n -1
PARAMETER num_gpu 99
PARAMETER mirostat 2
)")
                        .overrides;
  const GenerationDefaults d = generation_defaults(model);
  EXPECT_EQ(d.sampler.temperature, 0.1f);
  EXPECT_EQ(d.sampler.top_k, 5);
  EXPECT_EQ(d.sampler.top_p, 0.9f);
  EXPECT_TRUE(d.seed_given);
  EXPECT_EQ(d.sampler.seed, 42u);
  EXPECT_EQ(d.max_tokens, -1);
  EXPECT_EQ(d.num_ctx, 8192);
  EXPECT_EQ(d.stop, (std::vector<std::string>{"<a>", "<b>"}));
  EXPECT_EQ(d.sampler.repeat_last_n, -1);
  EXPECT_EQ(d.sampler.mirostat, 2);
  EXPECT_EQ(d.ignored, (std::vector<std::string>{"num_gpu"}));
}

TEST(Defaults, bad_parameters_are_refused_by_name_and_value) {
  EXPECT_NE(refusal({{"temprature", "1"}}).find("'temprature'"), std::string::npos);
  EXPECT_NE(refusal({{"temperature", "hot"}}).find("'hot'"), std::string::npos);
  EXPECT_NE(refusal({{"top_p", "1.5"}}).find("top_p is '1.5'"), std::string::npos);
  EXPECT_NE(refusal({{"mirostat", "1"}}).find("mirostat is '1'"), std::string::npos);
}

// What create takes, every load takes too.
TEST(Defaults, every_parameter_of_the_table_is_set_over_its_whole_range) {
  for (const models::ParameterRule& rule : models::parameter_rules()) {
    if (rule.use == models::ParameterUse::refused) continue;
    std::vector<std::string> values;
    if (rule.kind == models::ParameterKind::integer) {
      values = {fmt::format("{}", rule.low), fmt::format("{}", rule.high)};
    } else if (rule.kind == models::ParameterKind::number) {
      values = {fmt::format("{}", rule.number_low), fmt::format("{}", rule.number_high)};
    } else if (!rule.words.empty()) {
      values.assign(rule.words.begin(), rule.words.end());
    } else {
      values = {"x", std::string(rule.max_bytes, 'x')};
    }
    for (const auto& value : values) {
      EXPECT_EQ(refusal({{std::string(rule.name), value}}), "accepted") << rule.name << value;
    }
  }
}

TEST(Defaults, breakers_of_the_model_stand_in_the_place_of_the_usual_ones) {
  const auto d = parse_parameters({{"dry_sequence_breaker", "|"}, {"dry_sequence_breaker", "x"}});
  EXPECT_EQ(d.sampler.dry_sequence_breakers, (std::vector<std::string>{"|", "x"}));
}

}  // namespace
}  // namespace strata::inference
