// Folders whose config.json or tensors ask for what their family does not do, or cannot be right:
// each refused with the field or the tensor.
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "core/error.h"
#include "core/testing/temp_folder.h"
#include "models/family/family.h"
#include "models/family/hf_model.h"
#include "models/testing/hf_model.h"

namespace strata::models {
namespace {

using ::testing::HasSubstr;

json::value hf_fixture(const std::string& name) {
  std::ifstream file(STRATA_SOURCE_DIR "/src/inference/testdata/hf_" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  return parse_json(text.str());
}

using Change = void (*)(json::object& config, json::object& tensors);

// "" when the changed folder can be described.
std::string error_of(const std::string& name, Change change) {
  const json::value fixture = hf_fixture(name);
  json::object config = fixture.at("config").as_object();
  json::object tensors = fixture.at("tensors").as_object();
  change(config, tensors);
  const strata::testing::TempFolder folder;
  write_hf_folder(folder.path(), config, tensors);
  try {
    describe_model(*translate(std::make_shared<HfFolder>(folder.path())));
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

struct Refused {
  const char* fixture;
  const char* what;
  Change change;
  const char* message;
};

const Refused kRefused[] = {
    {"gemma3", "the exact GELU", [](auto& c, auto&) { c["hidden_activation"] = "gelu"; },
     "'hidden_act' is 'gelu'"},
    {"gpt2", "scores divided by the layer's number",
     [](auto& c, auto&) { c["scale_attn_by_inverse_layer_idx"] = true; },
     "'scale_attn_by_inverse_layer_idx' is true"},
    {"gpt2", "scores that are not scaled", [](auto& c, auto&) { c["scale_attn_weights"] = false; },
     "'scale_attn_weights' is false"},
    {"gpt2", "positions for fewer than the context",
     [](auto&, auto& t) { t["transformer.wpe.weight"] = json::array{63, 30}; },
     "'transformer.wpe.weight' has shape 30 x 63"},
    {"bloom", "a residual behind the norm",
     [](auto& c, auto&) { c["apply_residual_connection_post_layernorm"] = true; },
     "'apply_residual_connection_post_layernorm' is true"},
    {"bloom", "no norm of the embedding",
     [](auto&, auto& t) { t.erase("transformer.word_embeddings_layernorm.weight"); },
     "'transformer.word_embeddings_layernorm.weight' is missing"},
    {"llama_dynamic", "a base that grows by nothing",
     [](auto& c, auto&) { c["rope_scaling"].as_object()["factor"] = 0; },
     "'factor' is missing or not above 0"},
    {"llama_dynamic", "a base that grows from the first token on",
     [](auto& c, auto&) { c["max_position_embeddings"] = 1; }, "original_context_length is 1"},
    {"gpt_oss", "another slope of the gate", [](auto& c, auto&) { c["swiglu_alpha"] = 1.0; },
     "'swiglu_alpha' is 1"},
    {"gpt_oss", "a limit that is text", [](auto& c, auto&) { c["swiglu_limit"] = "7"; },
     "'swiglu_limit' is no number"},
    {"gpt_oss", "rounding that is no flag",
     [](auto& c, auto&) { c["rope_parameters"].as_object()["truncate"] = 3; },
     "'truncate' is neither true nor false"},
    {"gpt_oss", "too few sinks",
     [](auto&, auto& t) { t["model.layers.1.self_attn.sinks"] = json::array{5}; },
     "'model.layers.1.self_attn.sinks' has shape 5"},
    {"gpt_oss", "no sinks", [](auto&, auto& t) { t.erase("model.layers.1.self_attn.sinks"); },
     "'model.layers.1.self_attn.sinks' is missing"},
    {"gpt_oss", "gate and up of odd width",
     [](auto&, auto& t) { t["model.layers.0.mlp.experts.gate_up_proj"] = json::array{7, 30, 43}; },
     "'model.layers.0.mlp.experts.gate_up_proj' has 43 columns, which are no halves"},
    {"gpt_oss", "biases in one row",
     [](auto&, auto& t) { t["model.layers.0.mlp.experts.gate_up_proj_bias"] = json::array{308}; },
     "'model.layers.0.mlp.experts.gate_up_proj_bias' has 308 columns"},
    {"gpt_oss", "biases of fewer experts",
     [](auto&, auto& t) { t["model.layers.2.mlp.experts.down_proj_bias"] = json::array{6, 30}; },
     "'model.layers.2.mlp.experts.down_proj_bias' has shape 30 x 6"},
    {"llama4", "no sections", [](auto& c, auto&) { c["attention_chunk_size"] = nullptr; },
     "'attention_chunk_size' is missing or 0"},
    {"llama4", "types that are not those of positions",
     [](auto& c, auto&) { c["no_rope_layers"] = json::array{1, 1, 0, 1, 1}; },
     "'layer_types' are not as 'no_rope_layers' are"},
    {"llama4", "positions of too few layers",
     [](auto& c, auto&) {
       c["layer_types"] = nullptr;
       c["no_rope_layers"] = json::array{1, 1, 0};
     },
     "sliding_window_pattern is not one flag for each of 5 layers"},
    {"llama4", "experts elsewhere", [](auto& c, auto&) { c["moe_layers"] = json::array{1, 2}; },
     "'moe_layers' are not every"},
    {"llama4", "experts in every 0th layer",
     [](auto& c, auto&) {
       c["moe_layers"] = nullptr;
       c["interleave_moe_layer_step"] = 0;
     },
     "interleave_moe_layer_step is 0"},
    {"llama4", "steps of 0", [](auto& c, auto&) { c["floor_scale"] = 0; },
     "temperature_length is 0"},
};

TEST(FamilyHostile, FoldersOfOtherFormulas) {
  for (const Refused& refused : kRefused) {
    EXPECT_THAT(error_of(refused.fixture, refused.change), HasSubstr(refused.message))
        << refused.what;
  }
}

// Its first files have no common beginning of names, and hold the masks of attention.
TEST(Family, FoldersOfTheFirstNamesAreRead) {
  for (const char* name : {"gpt2", "bloom"}) {
    const std::string error = error_of(name, [](json::object&, json::object& tensors) {
      json::object bare;
      for (const auto& [key, shape] : tensors) {
        bare[key.substr(std::string_view("transformer.").size())] = shape;
      }
      if (bare.contains("wte.weight")) bare["h.0.attn.bias"] = json::array{1, 64, 64};
      tensors = bare;
    });
    EXPECT_EQ(error, "") << name;
  }
}

}  // namespace
}  // namespace strata::models
