#include "api/dialect/samplers.h"

#include <algorithm>
#include <array>

namespace strata::api {
namespace {

// Of names that a request lists; each that is not known takes room in a header.
constexpr size_t kMaxSamplers = 32;

// In the order in which they work here (docs/engine/sampling.md), with what switches each off.
struct Step {
  std::string_view name;
  char letter;
  void (*switch_off)(SamplingOptions& sampling);
};
constexpr std::array kSteps{
    Step{"penalties", 'e',
         [](SamplingOptions& s) {
           s.repeat_penalty = 1.0f;
           s.presence_penalty = s.frequency_penalty = 0.0f;
         }},
    Step{"dry", 'd', [](SamplingOptions& s) { s.dry_multiplier = 0.0f; }},
    Step{"top_n_sigma", 's', [](SamplingOptions& s) { s.top_n_sigma = 0.0f; }},
    Step{"top_k", 'k', [](SamplingOptions& s) { s.top_k = 0; }},
    Step{"typ_p", 'y', [](SamplingOptions& s) { s.typical_p = 1.0f; }},
    Step{"top_p", 'p', [](SamplingOptions& s) { s.top_p = 1.0f; }},
    Step{"min_p", 'm', [](SamplingOptions& s) { s.min_p = 0.0f; }},
    Step{"xtc", 'x', [](SamplingOptions& s) { s.xtc_probability = 0.0f; }},
    Step{"temperature", 't', [](SamplingOptions& s) { s.temperature = 1.0f; }}};

// kSteps.size(): there is none of that name.
size_t step_at(std::string_view name) {
  if (name == "typical_p") name = "typ_p";
  return static_cast<size_t>(std::ranges::find(kSteps, name, &Step::name) - kSteps.begin());
}

size_t step_of(char letter) {
  return static_cast<size_t>(std::ranges::find(kSteps, letter, &Step::letter) - kSteps.begin());
}

// What is listed, as places in kSteps.
std::vector<size_t> read_steps(Fields& fields) {
  std::vector<size_t> steps;
  if (const json::value* value = fields.get("samplers"); value->is_string()) {
    const std::string_view letters = value->get_string();
    if (letters.size() > kMaxSamplers) {
      fields.fail("samplers",
                  fmt::format("has {} letters, the limit is {}", letters.size(), kMaxSamplers));
    }
    for (const char letter : letters) steps.push_back(step_of(letter));
    return steps;
  }
  for (const json::value& name : fields.array("samplers", kMaxSamplers)) {
    if (!name.is_string()) fields.fail("samplers", "has an entry that is no text");
    steps.push_back(step_at(name.get_string()));
  }
  return steps;
}

}  // namespace

void read_samplers(Fields& fields, SamplingOptions& sampling, std::vector<std::string>& ignored) {
  if (!fields.has("samplers")) return;
  const std::vector<size_t> steps = read_steps(fields);
  std::array<bool, kSteps.size()> wanted{};
  size_t next = 0;
  bool in_order = true;
  for (size_t i = 0; i < steps.size(); ++i) {
    const size_t at = steps[i];
    if (at == kSteps.size()) {
      ignored.push_back(fmt::format("samplers[{}]", i));
      continue;
    }
    in_order = in_order && at >= next;
    next = at;
    wanted[at] = true;
  }
  if (!in_order) ignored.emplace_back("samplers.order");
  for (size_t i = 0; i < kSteps.size(); ++i) {
    if (!wanted[i]) kSteps[i].switch_off(sampling);
  }
}

json::array sampler_names() {
  json::array names;
  for (const Step& step : kSteps) names.push_back(json::string(step.name));
  return names;
}

}  // namespace strata::api
