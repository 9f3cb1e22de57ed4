// Any bytes as a schema, a regular expression and a grammar: refused with an error, or a rule whose
// every mask leads on.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "inference/constraint/grammar.h"

namespace {

using namespace strata::inference;

// The first way to the end of a text that is found within some steps.
void follow(Grammar& grammar) {
  constexpr int kSteps = 200;
  Expressions& x = grammar.expressions;
  ExprId place = grammar.start;
  for (int step = 0; step < kSteps; ++step) {
    x.allow(200'000);
    ExprId next = Expressions::kNothing;
    for (int byte = 255; byte >= 0 && next == Expressions::kNothing; --byte) {
      next = x.derivative(place, static_cast<uint8_t>((byte + step * 7) % 256));
    }
    if (next == Expressions::kNothing) {
      if (!x.nullable(place)) std::abort();
      return;
    }
    place = next;
  }
}

void try_rule(OutputRule rule) {
  try {
    follow(*compile(rule));
  } catch (const strata::Error& error) {
    const auto code = error.code();
    const bool refused = code == strata::Code::invalid_argument;
    if (!refused && code != strata::Code::resource_exhausted) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto kind :
       {OutputRule::Kind::regex, OutputRule::Kind::gbnf, OutputRule::Kind::lark}) {
    OutputRule rule;
    rule.kind = kind;
    rule.text = text;
    try_rule(std::move(rule));
  }
  OutputRule rule;
  rule.kind = OutputRule::Kind::json_schema;
  try {
    rule.schema = strata::parse_json(text);
  } catch (const strata::Error&) {
    return 0;
  }
  try_rule(std::move(rule));
  return 0;
}
