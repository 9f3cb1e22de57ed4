#include "models/chat/output/call_grammar.h"

#include <algorithm>
#include <map>

#include "core/json.h"
#include "models/chat/output/param_grammar.h"

namespace strata::models {
namespace {

using Kind = PatternPart::Kind;

constexpr std::string_view kTerminals =
    "WS: /[ \\n]{0,2}/\n"
    "ID: /[A-Za-z0-9_.:-]{1,64}/\n"
    "NUMBER: /[0-9]{1,3}/\n";

// A text of Lark's.
std::string text_of(std::string_view text) {
  return json_quote(text);
}

// The same as JSON writes it.
std::string quoted_text(std::string_view text) {
  return json_quote(json_quote(text));
}

// A text that is written with control tokens where the vocabulary has them.
std::string mark_of(std::string_view text) {
  return "%mark " + json_quote(text);
}

bool names_tool(const PatternPart& part) {
  return part.kind == Kind::name || part.kind == Kind::path || part.kind == Kind::json ||
         part.kind == Kind::params;
}

class Writer {
 public:
  Writer(const CallForm& form, const ToolSet& tools) : form_(form), tools_(tools) {}

  std::string write() {
    std::string any;
    for (const auto& pattern : form_.calls) {
      any += (any.empty() ? "" : " | ") + rule("call", alternatives(pattern));
    }
    std::string start = "WS (" + any + ")";
    if (form_.several) start += " (WS " + separator() + "(" + any + "))*";
    if (!form_.end.empty()) start += " WS " + mark_of(form_.end);
    return "start: " + start + "\n" + rules_ + std::string(kTerminals);
  }

 private:
  std::string separator() const {
    std::string all;
    for (const std::string& one : form_.separators) {
      all += (all.empty() ? "(" : " | ") + text_of(one);
    }
    return all.empty() ? all : all + ")? WS ";
  }

  std::string rule(std::string_view kind, const std::string& body) {
    std::string name = std::string(kind) + "_" + std::to_string(n_rules_++);
    rules_ += name + ": " + body + "\n";
    return name;
  }

  // By tool, where the pattern has its name or its arguments in parts of their own.
  std::string alternatives(const std::vector<PatternPart>& pattern) {
    if (!std::any_of(pattern.begin(), pattern.end(), names_tool)) return sequence(pattern, nullptr);
    return each_tool([&](const OfferedTool& tool) { return sequence(pattern, &tool); });
  }

  template <typename Write>
  std::string each_tool(Write write) {
    std::string any;
    for (const OfferedTool& tool : tools_.tools()) {
      any += (any.empty() ? "" : "\n  | ") + write(tool);
    }
    return any;
  }

  std::string sequence(const std::vector<PatternPart>& pattern, const OfferedTool* tool) {
    std::string parts;
    for (const PatternPart& part : pattern) {
      parts += (parts.empty() ? "" : " ") + written(part, tool);
    }
    return parts;
  }

  std::string written(const PatternPart& part, const OfferedTool* tool) {
    switch (part.kind) {
      case Kind::literal:
        return mark_of(part.literal);
      case Kind::newline:
        return "\"\\n\"";
      case Kind::name:
        return text_of(tool->name);
      case Kind::path:
        return text_of("functions." + tool->name + ":") + " NUMBER";
      case Kind::id:
      case Kind::skip:
        return "ID";
      case Kind::json:
        return arguments_of(*tool);
      case Kind::params:
        return params_grammar(
            form_.params, tools_, *tool,
            [&](std::string_view kind, const std::string& body) { return rule(kind, body); });
      case Kind::call:
        return "(" + each_tool([&](const OfferedTool& each) { return call_of(each); }) + ")";
      case Kind::calls: {
        const std::string one = one_of_calls([&](const auto& each) { return call_of(each); });
        return "(" + one + " | " + list_of(one) + ")";
      }
      case Kind::keyed:
        return list_of(one_of_calls([&](const auto& each) { return keyed_call_of(each); }));
      default:
        return "WS";
    }
  }

  template <typename Write>
  std::string one_of_calls(Write write) {
    return rule("object", each_tool(write));
  }

  static std::string list_of(const std::string& one) {
    return "\"[\" WS " + one + " (WS \",\" WS " + one + ")* WS \"]\"";
  }

  // A rule of its own, however often they may stand.
  std::string arguments_of(const OfferedTool& tool) {
    std::string& name = arguments_[tool.name];
    if (name.empty()) name = rule("arguments", "%json " + to_json(tool.parameters));
    return name;
  }

  std::string call_of(const OfferedTool& tool) {
    const CallKeys& keys = form_.keys;
    std::string object = "\"{\" WS ";
    if (keys.typed) {
      object +=
          "(" + quoted_text("type") + " WS \":\" WS " + quoted_text("function") + " WS \",\" WS)? ";
    }
    if (!keys.id.empty()) {
      object += quoted_text(keys.id) + " WS \":\" WS \"\\\"\" NUMBER \"\\\"\" WS \",\" WS ";
    }
    object += quoted_text(keys.name) + " WS \":\" WS " + quoted_text(tool.name) + " WS \",\" WS ";
    object += quoted_text(keys.arguments) + " WS \":\" WS " + arguments_of(tool);
    return object + " WS \"}\"";
  }

  std::string keyed_call_of(const OfferedTool& tool) {
    return "\"{\" WS " + quoted_text(tool.name) + " WS \":\" WS " + arguments_of(tool) +
           " WS \"}\"";
  }

  const CallForm& form_;
  const ToolSet& tools_;
  std::string rules_;
  int n_rules_ = 0;
  std::map<std::string, std::string> arguments_;  // rules, by tool
};

}  // namespace

std::string call_grammar(const CallForm& form, const ToolSet& tools) {
  return Writer(form, tools).write();
}

}  // namespace strata::models
