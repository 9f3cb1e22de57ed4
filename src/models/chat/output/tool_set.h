// The tools that an answer may call, and what the texts of their arguments become.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "models/chat/message.h"

namespace strata::models {

struct OfferedTool {
  std::string name;
  std::string description;
  json::value parameters;  // JSON Schema of its arguments, which are an object
  bool strict = false;     // a schema that cannot be kept is not loosened
};

// Whether an object may fit a schema, as far as its types and given values say.
bool may_be_object(const json::value& schema);

class ToolSet {
 public:
  ToolSet() = default;
  // Those of the conversation's tools that the choice allows; none where it allows no calls.
  // Error{invalid_argument}: a tool without a name, or a choice that names a tool which is not
  // there.
  ToolSet(const json::array& tools, const ToolChoice& choice);

  bool empty() const { return tools_.empty(); }
  const std::vector<OfferedTool>& tools() const { return tools_; }
  const OfferedTool* find(std::string_view name) const;  // null: not offered
  ToolSet only(size_t index) const;                      // this tool alone
  // Whether an argument may be a string, and whether it may be anything else.
  bool allows_text(std::string_view tool, std::string_view key) const;
  bool allows_other(std::string_view tool, std::string_view key) const;
  // What the schema of one says is taken back to: an object.
  void loosen(size_t index);
  // An argument that was written as plain text, as JSON. The schema says what it is: text that is
  // allowed to be a string and no other type is one; what fits none of the types stays text.
  std::string argument(std::string_view tool, std::string_view key, std::string_view text) const;

 private:
  std::vector<OfferedTool> tools_;
};

// Text that stands for a JSON value, True, False and None among them; no such: a JSON string.
std::string json_or_text(std::string_view text);

}  // namespace strata::models
