#include "models/chat/output/param_grammar.h"

#include <algorithm>
#include <map>

#include "core/json.h"

namespace strata::models {
namespace {

using Kind = PatternPart::Kind;
using Patterns = std::vector<std::vector<PatternPart>>;

constexpr size_t kFewParams = 5;  // in any order: a rule for each set of them

std::string mark_of(std::string_view text) {
  return "%mark " + json_quote(text);
}

// null: the schema lists no parameters.
const json::object* properties_of(const OfferedTool& tool) {
  const json::value* properties = tool.parameters.as_object().if_contains("properties");
  return properties == nullptr ? nullptr : properties->if_object();
}

bool takes_any(const OfferedTool& tool) {
  const json::value* more = tool.parameters.as_object().if_contains("additionalProperties");
  return properties_of(tool) == nullptr && (more == nullptr || *more != false);
}

// With what its references refer to.
json::value schema_of(const OfferedTool& tool, const json::value& property) {
  json::value schema = property;
  if (!schema.is_object()) return schema == false ? schema : json::value(json::object{});
  for (const char* key : {"$defs", "definitions"}) {
    const json::value* known = tool.parameters.as_object().if_contains(key);
    if (known != nullptr) schema.as_object().emplace(key, *known);
  }
  return schema;
}

class Writer {
 public:
  Writer(const Patterns& patterns, const ToolSet& tools, const OfferedTool& tool,
         const AddRule& add_rule)
      : patterns_(patterns), tools_(tools), tool_(tool), add_rule_(add_rule) {}

  std::string write() {
    if (takes_any(tool_)) return "(WS " + add_rule_("param", any_param()) + ")*";
    const json::object* properties = properties_of(tool_);
    if (properties == nullptr) return "\"\"";
    for (const auto& property : *properties) {
      const std::string key(property.key());
      keys_.push_back(key);
      const json::value schema = schema_of(tool_, property.value());
      params_.push_back(add_rule_("param", param_of(key, to_json(schema))));
    }
    return keys_.size() <= kFewParams ? behind(0) : in_order();
  }

 private:
  bool is_required(size_t i) const {
    const json::value* list = tool_.parameters.as_object().if_contains("required");
    if (list == nullptr || !list->is_array()) return false;
    return std::any_of(list->as_array().begin(), list->as_array().end(), [&](const auto& name) {
      return name.is_string() && std::string_view(name.as_string()) == keys_[i];
    });
  }

  // What may follow where the parameters of this set are there already.
  std::string behind(size_t set) {
    std::string& name = behind_[set];
    if (!name.empty()) return name;
    std::string body;
    bool complete = true;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if ((set >> i & 1) != 0) continue;
      complete = complete && !is_required(i);
      body +=
          (body.empty() ? "" : " | ") + ("WS " + params_[i] + " " + behind(set | size_t{1} << i));
    }
    if (complete) body += body.empty() ? "\"\"" : " | \"\"";
    return behind_[set] = add_rule_("params", body);
  }

  std::string in_order() const {
    std::string all;
    for (size_t i = 0; i < keys_.size(); ++i) {
      all += (i > 0 ? " (WS " : "(WS ") + params_[i] + (is_required(i) ? ")" : ")?");
    }
    return all;
  }

  // By the patterns that can write a value of this kind.
  std::string param_of(const std::string& key, const std::string& schema) const {
    const bool text = tools_.allows_text(tool_.name, key);
    const bool other = tools_.allows_other(tool_.name, key);
    std::string any;
    for (const auto& pattern : patterns_) {
      const Kind kind = value_kind(pattern);
      if ((kind == Kind::text && !text) || (kind == Kind::typed && !other)) continue;
      const bool plain = kind == Kind::text || (kind == Kind::value && text);
      // What may be text or something else may be any text.
      const std::string& said = kind == Kind::value && other ? kAnything : schema;
      any += (any.empty() ? "" : "\n  | ") + written(pattern, json_quote(key), key, plain, said);
    }
    return any;
  }

  std::string any_param() const {
    std::string any;
    for (const auto& pattern : patterns_) {
      const bool plain = value_kind(pattern) != Kind::typed;
      any += (any.empty() ? "" : "\n  | ") +
             written(pattern, "/[A-Za-z0-9_.-]{1,64}/", {}, plain, kAnything);
    }
    return any;
  }

  static Kind value_kind(const std::vector<PatternPart>& pattern) {
    for (const PatternPart& part : pattern) {
      if (part.kind == Kind::value || part.kind == Kind::text || part.kind == Kind::typed) {
        return part.kind;
      }
    }
    return Kind::value;
  }

  // `spelled`: the key as Lark writes it.
  static std::string written(const std::vector<PatternPart>& pattern, const std::string& spelled,
                             const std::string& key, bool plain, const std::string& schema) {
    std::string parts;
    for (size_t i = 0; i < pattern.size(); ++i) {
      if (i > 0) parts += " ";
      switch (pattern[i].kind) {
        case Kind::literal:
          parts += mark_of(pattern[i].literal);
          break;
        case Kind::space:
          parts += "WS";
          break;
        case Kind::newline:
          parts += "\"\\n\"";
          break;
        case Kind::key:
          parts += spelled;
          break;
        default:
          parts += plain ? "%text " + schema + " " + json_quote(end_of_value(pattern, i, key))
                         : "%json " + schema;
      }
    }
    return parts;
  }

  // What no value holds, since it ends it.
  static std::string end_of_value(const std::vector<PatternPart>& pattern, size_t i,
                                  const std::string& key) {
    return names_key_behind(pattern, i) ? pattern.front().literal : literal_behind(pattern, i, key);
  }

  inline static const std::string kAnything = "{}";

  const Patterns& patterns_;
  const ToolSet& tools_;
  const OfferedTool& tool_;
  const AddRule& add_rule_;
  std::vector<std::string> keys_, params_;  // of the same order; rules
  std::map<size_t, std::string> behind_;    // rules, by the set of those before
};

}  // namespace

bool has_param_grammar(const Patterns& patterns, const OfferedTool& tool) {
  const bool twice = std::any_of(patterns.begin(), patterns.end(), [](const auto& pattern) {
    return std::count_if(pattern.begin(), pattern.end(),
                         [](const PatternPart& part) { return part.kind == Kind::key; }) > 1;
  });
  return !twice || !takes_any(tool);
}

std::string params_grammar(const Patterns& patterns, const ToolSet& tools, const OfferedTool& tool,
                           const AddRule& add_rule) {
  return Writer(patterns, tools, tool, add_rule).write();
}

}  // namespace strata::models
