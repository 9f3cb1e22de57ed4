// "tools" and "toolConfig".
#include "api/dialect/function_tool.h"
#include "api/dialect/gemini/gemini.h"

namespace strata::api::gemini {
namespace {

using models::ToolChoice;

constexpr size_t kMaxTools = 512;
constexpr size_t kMaxNameBytes = 128;

// What a function gives back is said in words: that is how a model learns of it.
void read_result_schema(Fields& declaration, std::optional<std::string>& description) {
  json::value schema;
  if (const json::value* plain = declaration.get("responseJsonSchema")) schema = *plain;
  if (const json::value* response = declaration.get("response")) {
    if (!schema.is_null()) {
      declaration.fail("response", "and responseJsonSchema say the same thing twice");
    }
    schema = json_schema(*response, declaration.path("response"));
  }
  if (schema.is_null()) return;
  description =
      fmt::format("{}Its result: {}", description ? *description + "\n" : "", to_json(schema));
}

void read_declaration(Fields declaration, ChatRequest& request) {
  FunctionTool function;
  function.name = declaration.required_text("name");
  function.description = declaration.text("description");
  json::value schema;
  function.schema_field = "parametersJsonSchema";
  function.schema = declaration.get(function.schema_field);
  if (const json::value* parameters = declaration.get("parameters")) {
    if (function.schema != nullptr) {
      declaration.fail("parameters", "and parametersJsonSchema say the same thing twice");
    }
    schema = json_schema(*parameters, declaration.path("parameters"));
    function.schema = &schema;
    function.schema_field = "parameters";
  }
  if (function.schema != nullptr && !function.schema->is_object()) {
    declaration.fail("parametersJsonSchema", "must be a JSON schema, an object");
  }
  const std::string behavior = declaration.text("behavior").value_or("BLOCKING");
  if (behavior != "BLOCKING" && behavior != "UNSPECIFIED") {
    declaration.fail("behavior", "must be BLOCKING: the model waits for each result");
  }
  read_result_schema(declaration, function.description);
  declaration.refuse_unread();
  add_function_tool(declaration, function, request.conversation);
}

void read_calling(Fields& calling, ChatRequest& request) {
  ToolChoice& choice = request.tool_choice;
  const std::string mode = calling.text("mode").value_or("AUTO");
  if (mode == "ANY") {
    choice.mode = ToolChoice::Mode::required;
  } else if (mode == "NONE") {
    choice.mode = ToolChoice::Mode::none;
  } else if (mode != "AUTO" && mode != "VALIDATED" && mode != "MODE_UNSPECIFIED") {
    calling.fail("mode", "must be AUTO, ANY, NONE or VALIDATED");
  }
  const auto names = calling.texts("allowedFunctionNames", kMaxTools, kMaxNameBytes);
  if (names && !names->empty() && mode != "ANY" && mode != "VALIDATED") {
    calling.fail("allowedFunctionNames", "needs mode ANY or VALIDATED");
  }
  for (const std::string& name : names.value_or(std::vector<std::string>{})) {
    if (!has_tool(request.conversation.tools, name)) {
      calling.fail("allowedFunctionNames", "has a name that is none of the functions'");
    }
  }
  choice.names = names.value_or(std::vector<std::string>{});
  if (calling.boolean("streamFunctionCallArguments").value_or(false)) {
    calling.fail("streamFunctionCallArguments", "must be false: a call comes whole");
  }
  calling.refuse_unread();
}

}  // namespace

void read_tools(Fields& fields, ChatRequest& request) {
  const auto tools = fields.array("tools", kMaxTools);
  for (size_t i = 0; i < tools.size(); ++i) {
    Fields tool(tools[i], fmt::format("tools[{}]", i));
    const auto declarations = tool.array("functionDeclarations", kMaxTools);
    for (size_t k = 0; k < declarations.size(); ++k) {
      const std::string path = fmt::format("{}[{}]", tool.path("functionDeclarations"), k);
      read_declaration(Fields(declarations[k], path), request);
    }
    for (const std::string& key : tool.unread()) {
      tool.fail(key, "is not supported: tools that run at Google are not here",
                "declare a function of your own in functionDeclarations");
    }
  }
  auto config = fields.object("toolConfig");
  if (!config) return;
  if (auto calling = config->object("functionCallingConfig")) read_calling(*calling, request);
  config->refuse_unread();
  if (request.conversation.tools.empty() &&
      request.tool_choice.mode == ToolChoice::Mode::required) {
    fields.fail("toolConfig", "asks for a call, and there are no functions");
  }
}

}  // namespace strata::api::gemini
