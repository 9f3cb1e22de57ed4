// The JSON Schema organisation's own test suite for 2020-12, out of the source archive of PyPI's
// `jsonschema` (tests/oracle/sources.yaml): a schema is refused with its pointer, or says of each
// instance, written as JSON, what the suite says of it.
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/testing/test_data.h"
#include "inference/constraint/grammar.h"

namespace strata::inference {
namespace {

enum class Outcome { right, narrow, refused, wrong };

bool accepts(Grammar& grammar, std::string_view text) {
  Expressions& x = grammar.expressions;
  x.allow(4'000'000);
  ExprId place = grammar.start;
  for (const char c : text) place = x.derivative(place, static_cast<uint8_t>(c));
  return x.nullable(place);
}

// narrow: a valid instance is never written, which is no fault of a text that is. wrong: an invalid
// one may be.
Outcome outcome_of(const json::object& group, Members members) {
  Outcome outcome = Outcome::right;
  try {
    const auto grammar = compile(
        {.kind = OutputRule::Kind::json_schema, .schema = group.at("schema"), .members = members});
    for (const json::value& test : group.at("tests").as_array()) {
      const bool valid = test.at("valid").as_bool();
      const bool accepted = accepts(*grammar, to_json(test.at("data")));
      if (accepted && !valid) return Outcome::wrong;
      if (!accepted && valid) outcome = Outcome::narrow;
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::invalid_argument) << error.what();
    return Outcome::refused;
  }
  return outcome;
}

TEST(JsonSchemaSuite, NothingInvalidIsAccepted) {
  std::array<int, 4> counts{};
  std::string wrong;
  const auto folder = strata::testing::test_data("json-schema-suite/draft2020-12");
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(file.path());
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const json::value groups = parse_json(text, {.max_bytes = 1u << 20, .max_depth = 256});
    for (const json::value& group : groups.as_array()) {
      const Outcome outcome = outcome_of(group.as_object(), Members::any);
      ++counts.at(static_cast<size_t>(outcome));
      const bool listed_wrongly =
          outcome_of(group.as_object(), Members::as_listed) == Outcome::wrong;
      if (outcome != Outcome::wrong && !listed_wrongly) continue;
      wrong += file.path().filename().string() + ": " +
               std::string(group.at("description").as_string()) + "\n";
    }
  }
  EXPECT_EQ(wrong, "");
  const auto [right, narrow, refused, accepted_wrongly] = counts;
  EXPECT_EQ(right + narrow + refused + accepted_wrongly, 368);
  EXPECT_GE(right, 288) << narrow << " narrow, " << refused << " refused";
}

}  // namespace
}  // namespace strata::inference
