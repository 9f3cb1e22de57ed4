#include "app/cli/chat/format.h"

#include <string>

#include "core/error.h"
#include "core/json.h"
#include "core/os.h"
#include "inference/constraint/grammar.h"
#include "inference/constraint/limits.h"

namespace strata::app {
namespace {

using inference::OutputRule;

json::value schema_in(std::string_view text, std::string_view from) {
  try {
    return parse_json(text);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("format: {} is no JSON: {}", from, error.what()),
                "json, a JSON Schema ('{\"type\": \"object\", …}'), or a file that has one");
  }
}

}  // namespace

OutputRule read_format(std::string_view format) {
  if (format == "json") return {.kind = OutputRule::Kind::json_object};
  OutputRule rule{.kind = OutputRule::Kind::json_schema};
  const size_t first = format.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && format[first] == '{') {
    rule.schema = schema_in(format, "the schema");
  } else {
    const fs::path file = std::string(format);
    rule.schema = schema_in(read_file(file, inference::kMaxRuleBytes), file.string());
  }
  static_cast<void>(compile(rule));
  return rule;
}

}  // namespace strata::app
