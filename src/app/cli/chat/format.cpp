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

using Kind = OutputRule::Kind;

constexpr std::string_view kRegex = "regex:";
constexpr const char* kHint =
    "json, a JSON Schema ('{\"type\": \"object\", …}') or a file that has one, the file of a "
    "grammar (.gbnf, .lark), or regex:EXPRESSION";

json::value schema_in(std::string_view text, std::string_view from) {
  try {
    return parse_json(text);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("format: {} is no JSON: {}", from, error.what()), kHint);
  }
}

std::string content_of(const fs::path& file) {
  try {
    return read_file(file, inference::kMaxRuleBytes);
  } catch (const Error& error) {
    throw Error(error.code(), "format: " + error.message(), kHint);
  }
}

OutputRule rule_in(const fs::path& file) {
  std::string text = content_of(file);
  if (file.extension() == ".gbnf") return {.kind = Kind::gbnf, .text = std::move(text)};
  if (file.extension() == ".lark") return {.kind = Kind::lark, .text = std::move(text)};
  return {.kind = Kind::json_schema, .schema = schema_in(text, file.string())};
}

OutputRule rule_of(std::string_view format) {
  if (format == "json") return {.kind = Kind::json_object};
  if (format.starts_with(kRegex)) {
    return {.kind = Kind::regex, .text = std::string(format.substr(kRegex.size()))};
  }
  const size_t first = format.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && format[first] == '{') {
    return {.kind = Kind::json_schema, .schema = schema_in(format, "the schema")};
  }
  return rule_in(std::string(format));
}

}  // namespace

OutputRule read_format(std::string_view format) {
  OutputRule rule = rule_of(format);
  static_cast<void>(compile(rule));
  return rule;
}

}  // namespace strata::app
