#include "models/chat/output/marked_calls.h"

#include <algorithm>

#include "models/chat/output/limits.h"

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

Reading MarkedFormat::read(std::string_view text, bool inside, bool last,
                           const ToolSet& tools) const {
  Reading reading = inside ? read_behind(text, tools) : read_first(text, tools);
  // At the end what could have become more has become nothing.
  if (last && reading.kind == Reading::Kind::more) {
    reading = {.kind = inside ? Reading::Kind::end : Reading::Kind::none};
  }
  return reading;
}

Reading MarkedFormat::read_first(std::string_view text, const ToolSet& tools) const {
  for (const auto& section : data_.sections) {
    size_t at = 0;
    const Match match = match_literal(text, at, section.first);
    if (match == Match::more) return {.kind = Reading::Kind::more};
    if (match == Match::no) continue;
    skip_space(text, at);
    const Reading reading = read_call(text, at, tools);
    if (reading.kind != Reading::Kind::none) return reading;
  }
  return read_call(text, 0, tools);
}

// Behind a call: the section's end, or another call.
Reading MarkedFormat::read_behind(std::string_view text, const ToolSet& tools) const {
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
    Reading reading = read_call(text, end, tools);
    if (reading.kind != Reading::Kind::none) return reading;
  }
  const Reading reading = read_call(text, at, tools);
  if (reading.kind != Reading::Kind::none) return reading;
  return {.kind = Reading::Kind::end};
}

Reading MarkedFormat::read_call(std::string_view text, size_t at, const ToolSet& tools) const {
  for (const CallPattern& pattern : patterns_) {
    size_t end = at;
    std::vector<ToolCall> calls;
    const Match match = pattern.match(text, end, tools, calls);
    if (match == Match::more) return {.kind = Reading::Kind::more};
    if (match == Match::no) continue;
    // Without a marker only the name tells a call from an answer in JSON.
    if (data_.bare && !std::all_of(calls.begin(), calls.end(), [&](const ToolCall& call) {
          return tools.find(call.name) != nullptr;
        })) {
      continue;
    }
    std::erase_if(calls, [&](const ToolCall& call) {
      return std::find(data_.no_calls.begin(), data_.no_calls.end(), call.name) !=
             data_.no_calls.end();
    });
    return {.kind = Reading::Kind::calls, .size = end, .calls = std::move(calls)};
  }
  return {};
}

std::vector<CallTrigger> MarkedFormat::call_triggers(const ToolSet& tools) const {
  std::vector<CallTrigger> triggers;
  for (const CallPattern& pattern : patterns_) {
    const PatternPart::Kind first = pattern.parts().front().kind;
    if (first == PatternPart::Kind::call || first == PatternPart::Kind::calls) {
      const bool list = first == PatternPart::Kind::calls;
      for (const auto& [open, close] : data_.sections) {
        const std::string_view end = data_.ends_enforced ? close : std::string_view();
        triggers.push_back({open, call_grammar(tools, data_.keys, list, end)});
      }
      continue;
    }
    // One of a tool's name and its arguments with nothing unknown between them.
    for (const OfferedTool& tool : tools.tools()) {
      const std::string begin = literal_before_arguments(pattern.parts(), tool.name);
      if (!begin.empty()) triggers.push_back({begin, arguments_grammar(tool)});
    }
  }
  return triggers;
}

std::string MarkedFormat::opening(const ToolSet& tools) const {
  const std::vector<CallTrigger> triggers = call_triggers(tools);
  if (triggers.empty()) return {};
  // Where the trigger has the tool's name in it, there must be one tool.
  const bool named = !data_.sections.empty() && triggers.front().begin == data_.sections[0].first;
  if (!named && tools.tools().size() != 1) return {};
  return named || data_.sections.empty() ? triggers.front().begin
                                         : data_.sections[0].first + triggers.front().begin;
}

}  // namespace strata::models
