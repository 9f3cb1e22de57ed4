#include "api/dialect/openai/request_parts.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

using inference::OutputRule;

// A schema, or its JSON text, as vLLM takes both.
OutputRule schema_rule(const json::value& given, const std::string& path) {
  OutputRule rule{.kind = OutputRule::Kind::json_schema, .schema = given};
  if (const auto* text = given.if_string()) {
    try {
      rule.schema = parse_json(*text, {.max_bytes = kMaxBodyBytes, .max_depth = kMaxJsonDepth});
    } catch (const Error& error) {
      throw FieldError(path, fmt::format("{} is no JSON text: {}", path, error.message()));
    }
  }
  if (!rule.schema.is_object() && !rule.schema.is_bool()) {
    throw FieldError(path, path + " must be a JSON schema, an object");
  }
  return rule;
}

// As llama.cpp's server has it: a schema that says nothing is one of objects.
OutputRule llamacpp_schema_rule(const json::value& given, const std::string& path) {
  OutputRule rule = schema_rule(given, path);
  const json::object* schema = rule.schema.if_object();
  return schema != nullptr && schema->empty() ? OutputRule{.kind = OutputRule::Kind::json_object}
                                              : rule;
}

// OpenAI's object with name, description and schema; or the schema alone, where llama.cpp has it.
OutputRule named_schema(Fields& format) {
  OutputRule rule{.kind = OutputRule::Kind::json_object};  // where no schema is given
  auto named = format.object("json_schema");
  if (!named) {
    const auto* schema = format.get("schema");
    if (!schema) format.fail("json_schema", "is missing");
    return schema_rule(*schema, format.path("schema"));
  }
  named->text("name");         // what it is called matters to nobody here
  named->text("description");  // for the model, where its template tells it
  named->boolean("strict");    // an answer matches its schema either way
  if (const auto* schema = named->get("schema")) {
    rule = schema_rule(*schema, named->path("schema"));
  } else if (named->has("type") || named->has("properties") || named->has("$ref")) {
    named->fail("schema", "is missing, and what stands here looks like the schema itself",
                R"(write {"type": "json_schema", "json_schema": {"name": …, "schema": …}})");
  }
  named->refuse_unread();
  return rule;
}

OutputRule response_format(Fields format) {
  const std::string type = format.required_text("type");
  OutputRule rule;
  if (type == "json_object" || type == "json") {
    rule.kind = OutputRule::Kind::json_object;
    // The schema's place for clients of llama.cpp's, and of Hugging Face's
    const std::string place = format.has("value") ? "value" : "schema";
    if (const auto* schema = format.get(place)) {
      rule = llamacpp_schema_rule(*schema, format.path(place));
    }
  } else if (type == "regex") {
    rule = {.kind = OutputRule::Kind::regex, .text = format.required_text("value")};
  } else if (type == "json_schema") {
    rule = named_schema(format);
  } else if (type != "text") {
    format.fail("type", fmt::format("is '{}'; it must be text, json_object, json_schema or regex",
                                    type.substr(0, 40)));
  }
  format.refuse_unread();
  return rule;
}

// vLLM's rule: grammars whose rules are written with ::= are GBNF, others Lark's.
OutputRule grammar_rule(std::string text) {
  const bool gbnf = text.find("::=") != std::string::npos;
  return {.kind = gbnf ? OutputRule::Kind::gbnf : OutputRule::Kind::lark, .text = std::move(text)};
}

OutputRule choice_rule(Fields& fields, std::string_view key) {
  OutputRule rule{.kind = OutputRule::Kind::choice};
  for (const json::value& each : fields.array(key, kMaxOutputChoices)) {
    if (!each.is_string()) fields.fail(key, "must be an array of strings");
    rule.choices.emplace_back(each.get_string());
  }
  if (rule.choices.empty()) fields.fail(key, "must have at least one text");
  return rule;
}

// The one rule of a request, and who gave it.
struct Chosen {
  OutputRule rule{};
  std::string by{};

  void take(OutputRule other, Fields& fields, std::string_view key) {
    if (other.kind == OutputRule::Kind::none) return;
    if (!by.empty()) {
      fields.fail(key, fmt::format("and {} both say what the answer has to match", by),
                  "send one of them");
    }
    rule = std::move(other);
    by = fields.path(key);
  }
};

// The five kinds of vLLM, with "guided_" before each or in an object of their own.
void read_kinds(Fields& fields, const std::string& before, Chosen& chosen) {
  const std::string schema = before + "json", regex = before + "regex", choice = before + "choice",
                    grammar = before + "grammar", object = before + "json_object";
  if (const auto* value = fields.get(schema)) {
    chosen.take(schema_rule(*value, fields.path(schema)), fields, schema);
  }
  if (auto text = fields.text(regex)) {
    chosen.take({.kind = OutputRule::Kind::regex, .text = std::move(*text)}, fields, regex);
  }
  if (fields.has(choice)) chosen.take(choice_rule(fields, choice), fields, choice);
  if (auto text = fields.text(grammar)) {
    chosen.take(grammar_rule(std::move(*text)), fields, grammar);
  }
  if (fields.boolean(object).value_or(false)) {
    chosen.take({.kind = OutputRule::Kind::json_object}, fields, object);
  }
}

}  // namespace

void read_output_rule(Fields& fields, ChatRequest& request) {
  Chosen chosen;
  if (auto format = fields.object("response_format")) {
    chosen.take(response_format(std::move(*format)), fields, "response_format");
  }
  read_kinds(fields, "guided_", chosen);
  if (auto kinds = fields.object("structured_outputs")) {
    read_kinds(*kinds, "", chosen);
    kinds->refuse_unread();
  }
  if (auto text = fields.text("grammar"); text && !text->empty()) {
    chosen.take({.kind = OutputRule::Kind::gbnf, .text = std::move(*text)}, fields, "grammar");
  }
  if (const auto* schema = fields.get("json_schema")) {
    chosen.take(llamacpp_schema_rule(*schema, "json_schema"), fields, "json_schema");
  }
  request.output = std::move(chosen.rule);
}

}  // namespace strata::api::openai
