#include "models/chat/output/marked_calls.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "core/json.h"
#include "models/chat/output/begun_calls.h"
#include "models/chat/output/limits.h"
#include "models/chat/output/param_grammar.h"

namespace strata::models {

using Reading = CallReading;

MarkedFormat::MarkedFormat(MarkedCalls data) : data_(std::move(data)) {
  for (const std::string& call : data_.calls) patterns_.emplace_back(call, data_.params);
}

int32_t MarkedFormat::fits(std::string_view template_source) const {
  const auto written = [&](const std::string& mark) {
    return template_source.find(mark) != std::string_view::npos;
  };
  const bool any = std::any_of(data_.marks.begin(), data_.marks.end(), [&](const auto& marks) {
    return std::all_of(marks.begin(), marks.end(), written);
  });
  return any ? data_.fit : 0;
}

std::vector<std::string> MarkedFormat::triggers() const {
  std::vector<std::string> triggers;
  for (const auto& section : data_.sections) triggers.push_back(section.first);
  for (const CallPattern& pattern : patterns_) {
    std::string literal = leading_literal(pattern.parts());
    if (!literal.empty()) triggers.push_back(std::move(literal));
  }
  return triggers;
}

bool MarkedFormat::begins_bare(std::string_view text) const {
  return data_.bare && !text.empty() &&
         std::any_of(patterns_.begin(), patterns_.end(), [&](const auto& one) {
           const PatternPart::Kind kind = one.parts().front().kind;
           if (kind == PatternPart::Kind::call) return text.front() == '{';
           return kind == PatternPart::Kind::calls && (text.front() == '{' || text.front() == '[');
         });
}

bool MarkedFormat::is_bare_call(std::string_view text, const ToolSet& tools) const {
  return data_.bare && begins_as_call(text, 0, tools);
}

std::vector<std::string> MarkedFormat::markers() const {
  std::vector<std::string> markers = data_.separators;
  for (const auto& [open, close] : data_.sections) {
    markers.push_back(open);
    markers.push_back(close);
  }
  const auto add = [&](const std::vector<PatternPart>& parts) {
    for (const PatternPart& part : parts) {
      if (part.kind == PatternPart::Kind::literal) markers.push_back(part.literal);
    }
  };
  for (const std::string& call : data_.calls) add(parse_pattern(call));
  for (const std::string& param : data_.params) add(parse_pattern(param));
  return markers;
}

Reading MarkedFormat::read(std::string_view text, const CallPlace& place,
                           const ToolSet& tools) const {
  const Asked asked{text, tools, place.fragments, place.inside};
  Reading reading = place.inside ? read_behind(asked) : read_first(asked);
  if (!place.last || reading.kind != Reading::Kind::more) return reading;
  // At the end what could have become more has become nothing; what was begun ends here.
  if (!reading.calls.empty()) {
    reading.kind = Reading::Kind::broken;
    reading.size = text.size();
    return reading;
  }
  if (!place.inside) return {};
  // The beginning of the section's end falls with it.
  const std::string_view rest = trimmed(text);
  const bool closes =
      std::any_of(data_.sections.begin(), data_.sections.end(),
                  [&](const auto& section) { return section.second.starts_with(rest); });
  return {.kind = Reading::Kind::end, .size = closes ? text.size() : 0};
}

Reading MarkedFormat::read_first(const Asked& asked) const {
  for (const auto& section : data_.sections) {
    size_t at = 0;
    const Match match = match_literal(asked.text, at, section.first);
    if (match == Match::more) return {.kind = Reading::Kind::more};
    if (match == Match::no) continue;
    skip_space(asked.text, at);
    const Reading reading = read_call(asked, at);
    if (reading.kind != Reading::Kind::none) return reading;
  }
  return read_call(asked, 0);
}

// Behind a call: the section's end, or another call.
Reading MarkedFormat::read_behind(const Asked& asked) const {
  const std::string_view text = asked.text;
  size_t at = 0;
  skip_space(text, at);
  if (at == text.size()) return {.kind = Reading::Kind::more};
  for (const auto& section : data_.sections) {
    size_t end = at;
    const Match match = match_literal(text, end, section.second);
    if (match == Match::more) return {.kind = Reading::Kind::more};
    if (match == Match::yes) return {.kind = Reading::Kind::end, .size = end};
  }
  for (const std::string& separator : data_.separators) {
    size_t end = at;
    const Match match = match_literal(text, end, separator);
    if (match == Match::more) return {.kind = Reading::Kind::more};
    if (match != Match::yes) continue;
    skip_space(text, end);
    Reading reading = read_call(asked, end);
    if (reading.kind != Reading::Kind::none) return reading;
  }
  const Reading reading = read_call(asked, at);
  if (reading.kind != Reading::Kind::none) return reading;
  return {.kind = Reading::Kind::end};
}

Reading MarkedFormat::read_call(const Asked& asked, size_t at) const {
  for (const CallPattern& pattern : patterns_) {
    Reading reading = read_pattern(pattern, asked, at);
    if (reading.kind != Reading::Kind::none) return reading;
  }
  return {};
}

Reading MarkedFormat::read_pattern(const CallPattern& pattern, const Asked& asked,
                                   size_t at) const {
  std::vector<ToolCall> calls;
  BegunCalls begun;
  const bool unmarked = data_.bare && !asked.behind && leading_literal(pattern.parts()).empty();
  const size_t begin = at;
  const bool tells = asked.fragments && is_kept(pattern, asked.behind);
  const Match match = pattern.match(asked.text, at, asked.tools, calls, tells ? &begun : nullptr);
  if (match != Match::yes) {
    begun.calls = without_no_calls(std::move(begun.calls));
    if (match == Match::more) {
      return {.kind = Reading::Kind::more, .size = begun.end, .calls = std::move(begun.calls)};
    }
    if (begun.calls.empty()) return {};
    return {.kind = Reading::Kind::broken, .size = begun.end, .calls = std::move(begun.calls)};
  }
  // Without a marker only the name tells a call from an answer in JSON.
  if (data_.bare && !std::all_of(calls.begin(), calls.end(), [&](const ToolCall& call) {
        return asked.tools.find(call.name) != nullptr;
      })) {
    return {};
  }
  if (unmarked && !begins_as_call(asked.text, begin, asked.tools)) return {};
  // What was told before is told again.
  std::move(begun.calls.begin(), begun.calls.end(), calls.begin());
  return {.kind = Reading::Kind::calls, .size = at, .calls = without_no_calls(std::move(calls))};
}

std::vector<ToolCall> MarkedFormat::without_no_calls(std::vector<ToolCall> calls) const {
  std::erase_if(calls, [&](const ToolCall& call) {
    return std::find(data_.no_calls.begin(), data_.no_calls.end(), call.name) !=
           data_.no_calls.end();
  });
  return calls;
}

// Whether a grammar made the text what it is: behind a trigger, and behind another call where that
// one's grammar went on, or the call has a trigger of its own.
bool MarkedFormat::is_kept(const CallPattern& pattern, bool behind) const {
  if (!leading_literal(pattern.parts()).empty()) return true;
  return !data_.sections.empty() && !(behind && enforced_end(data_.sections.front().first).empty());
}

// Of the section; "": there may be none.
std::string MarkedFormat::enforced_end(std::string_view open) const {
  std::string end;
  for (const auto& section : data_.sections) {
    if (section.first != open) continue;
    if (section.second.empty()) return {};
    if (end.empty()) end = section.second;
  }
  return end;
}

// Of the literals that calls begin with, the shortest that this one begins with.
std::string MarkedFormat::shortest_beginning(const std::string& literal) const {
  std::string shortest = literal;
  for (const CallPattern& pattern : patterns_) {
    const std::string other = leading_literal(pattern.parts());
    if (!other.empty() && shortest.starts_with(other)) shortest = other;
  }
  return shortest;
}

std::vector<CallTrigger> MarkedFormat::call_triggers(const ToolSet& tools) const {
  std::vector<CallTrigger> triggers;
  const auto& params = patterns_.front().params();
  if (!std::all_of(tools.tools().begin(), tools.tools().end(),
                   [&](const OfferedTool& tool) { return has_param_grammar(params, tool); })) {
    return triggers;
  }
  const auto add = [&](const std::string& begin, CallForm form) {
    const bool known = std::any_of(triggers.begin(), triggers.end(),
                                   [&](const CallTrigger& other) { return other.begin == begin; });
    if (known || form.calls.empty()) return;
    form.keys = data_.keys;
    form.params = params;
    triggers.push_back({.begin = begin, .lark = call_grammar(form, tools), .last = data_.bare});
  };
  CallForm whole;
  std::map<std::string, CallForm> behind_literal;
  for (const CallPattern& pattern : patterns_) {
    const std::vector<PatternPart>& parts = pattern.parts();
    const std::string literal = leading_literal(parts);
    whole.calls.push_back(parts);
    whole.several = !literal.empty();
    if (literal.empty()) continue;
    const std::string begin = shortest_beginning(literal);
    std::vector<PatternPart> rest = parts;
    rest.front().literal = literal.substr(begin.size());
    if (rest.front().literal.empty()) rest.erase(rest.begin());
    behind_literal[begin].calls.push_back(std::move(rest));
  }
  for (const auto& section : data_.sections) {
    CallForm form = whole;
    form.end = enforced_end(section.first);
    add(section.first, std::move(form));
  }
  for (auto& [literal, form] : behind_literal) {
    form.several = data_.bare;
    form.separators = data_.separators;
    add(literal, std::move(form));
  }
  if (data_.bare) triggers.push_back(bare_trigger(tools));
  return triggers;
}

// Calls as the whole answer.
CallTrigger MarkedFormat::bare_trigger(const ToolSet& tools) const {
  CallForm form;
  form.keys = data_.keys;
  form.several = true;
  form.separators = data_.separators;
  for (const CallPattern& pattern : patterns_) {
    if (leading_literal(pattern.parts()).empty()) form.calls.push_back(pattern.parts());
  }
  const auto member = [](std::string_view key, const std::string& value) {
    return fmt::format("{} B \":\" B {}", json_quote(json_quote(key)), value);
  };
  const auto any_name = [&] {
    std::string any;
    for (const OfferedTool& tool : tools.tools()) {
      any += (any.empty() ? "(" : " | ") + json_quote(json_quote(tool.name));
    }
    return any + ")";
  };
  std::string begin = "start: B \"{\" B ";
  if (data_.keys.typed) {
    begin += "(" + member("type", json_quote(json_quote("function"))) + " B \",\" B)? ";
  }
  begin += member(data_.keys.name, any_name()) + "\nB: /[ \\t\\r\\n]*/\n";
  return {.begin = std::move(begin), .lark = call_grammar(form, tools), .bare = true, .last = true};
}

// Whether text[at] is what bare_trigger() begins with.
bool MarkedFormat::begins_as_call(std::string_view text, size_t at, const ToolSet& tools) const {
  const auto take = [&](std::string_view literal) {
    skip_space(text, at);
    return match_literal(text, at, literal) == Match::yes;
  };
  const auto take_member = [&](std::string_view key, std::string_view value) {
    const size_t begin = at;
    const bool there = take(json_quote(key)) && take(":") && take(json_quote(value));
    if (!there) at = begin;
    return there;
  };
  if (!take("{")) return false;
  if (data_.keys.typed && take_member("type", "function") && !take(",")) return false;
  return std::any_of(tools.tools().begin(), tools.tools().end(), [&](const OfferedTool& tool) {
    return take_member(data_.keys.name, tool.name);
  });
}

}  // namespace strata::models
