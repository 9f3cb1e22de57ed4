// What a model's PARAMETER may be: names, kinds and ranges, in one table for everybody who reads a
// parameter (Modelfiles, create, import, the defaults of a request). In words: docs/defaults.md.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::models {

enum class ParameterKind : uint8_t { integer, number, text };
enum class ParameterUse : uint8_t {
  honoured,
  ignored,  // Ollama's settings of the machine: taken, and named where a model is made
  refused,
};

struct ParameterRule {
  std::string_view name;
  ParameterKind kind = ParameterKind::text;
  ParameterUse use = ParameterUse::honoured;
  int64_t low = 0;  // of integers
  int64_t high = 0;
  int64_t step = 1;  // from `low`
  float number_low = 0;
  float number_high = 0;
  size_t max_bytes = 0;                       // of a text; it has at least one
  size_t max_times = 1;                       // how often it may stand in one model
  std::span<const std::string_view> words{};  // that a text may be; empty: any
  std::string_view wanted;                    // the range in words: "it must be …"
  std::string_view way_out{};                 // refused: what to do instead
  std::string_view anyway{};  // ignored: the value, as JSON, that asks for what is so anyway
};

constexpr size_t kMaxStopTexts = 64;
constexpr size_t kMaxStopTextBytes = 1024;
constexpr size_t kMaxBreakerTexts = 64;
constexpr size_t kMaxBreakerTextBytes = 40;

std::span<const ParameterRule> parameter_rules();            // sorted by name
const ParameterRule& parameter_rule(std::string_view name);  // of one that the table has
bool in_range(const ParameterRule& rule, int64_t value);     // of an integer
bool in_range(const ParameterRule& rule, double value);      // of a number; NaN never is

struct ParameterValue {
  const ParameterRule* rule = nullptr;  // never null
  int64_t integer = 0;                  // the one that the kind says
  float number = 0;
  std::string text;
};

// Error{invalid_argument}, with name, value and range: malformed or out of range; with the way out:
// refused or not known.
ParameterValue read_parameter(std::string_view name, std::string_view text);

// As a model has them: a name stands once for each of its values.
using Parameters = std::multimap<std::string, std::string>;
// read_parameter() of each. Error{invalid_argument}: one of them, or given too often.
std::vector<ParameterValue> read_parameters(const Parameters& parameters);
// Names of those that have no effect here, each once.
std::vector<std::string> ignored_parameters(const Parameters& parameters);

}  // namespace strata::models
