#include "inference/defaults.h"

#include <algorithm>
#include <list>

#include <gtest/gtest.h>

#include "core/error.h"

namespace strata::inference {
namespace {

using Parameters = std::multimap<std::string, std::string>;

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
class SettingsFile : public models::GgufFile {
 public:
  void add(std::string key, float value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    payloads_.push_back({std::move(key), {bytes, bytes + sizeof value}});
    values_.clear();
    for (const auto& [name, payload] : payloads_) {
      values_.push_back({name, models::GgufType::f32, models::GgufType::u8, 1, payload});
    }
  }
  uint32_t version() const override { return 3; }
  uint64_t file_bytes() const override { return 0; }
  std::span<const models::GgufValue> values() const override { return values_; }
  std::span<const models::TensorInfo> tensors() const override { return {}; }
  const models::GgufValue* find(std::string_view key) const override {
    for (const models::GgufValue& value : values_) {
      if (value.key == key) return &value;
    }
    return nullptr;
  }
  const models::TensorInfo* find_tensor(std::string_view) const override { return nullptr; }
  void release(const models::TensorInfo&) const override {}

 private:
  std::list<std::pair<std::string, std::vector<std::byte>>> payloads_;
  std::vector<models::GgufValue> values_;
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
  file->add("general.sampling.min_p", 7.0f);
  EXPECT_THROW(generation_defaults(model), Error);
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
  model.overrides.parameters = {{"temperature", "0.1"}, {"top_k", "5"},          {"seed", "42"},
                                {"num_predict", "-2"},  {"num_ctx", "8192"},     {"stop", "<a>"},
                                {"stop", "<b>"},        {"repeat_last_n", "-1"}, {"num_gpu", "99"},
                                {"mirostat", "2"}};
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
  const std::string unknown = refusal({{"temprature", "1"}});
  EXPECT_NE(unknown.find("'temprature'"), std::string::npos);
  EXPECT_NE(unknown.find(" temperature "), std::string::npos) << unknown;
  EXPECT_NE(refusal({{"temperature", "hot"}}).find("'hot'"), std::string::npos);
  for (const char* text : {"", " 1", "1 ", "0x10", "1e99", "nan", "inf", "1,5"}) {
    EXPECT_NE(refusal({{"temperature", text}}), "accepted") << text;
  }
  EXPECT_NE(refusal({{"top_p", "1.5"}}).find("top_p is 1.5"), std::string::npos);
  EXPECT_NE(refusal({{"top_k", "3.5"}}), "accepted");
  EXPECT_NE(refusal({{"top_k", "99999999999"}}), "accepted");
  EXPECT_NE(refusal({{"seed", "-2"}}), "accepted");
  EXPECT_NE(refusal({{"num_ctx", "0"}}), "accepted");
  EXPECT_NE(refusal({{"num_predict", "-3"}}), "accepted");
  EXPECT_NE(refusal({{"mirostat", "1"}}).find("mirostat is 1"), std::string::npos);
  EXPECT_NE(refusal({{"stop", ""}}), "accepted");
}

TEST(Defaults, names_are_sorted_and_once) {
  const std::vector<std::string_view> names = known_parameters();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace strata::inference
