// Patterns of calls: markers with fields between them, matched against a text that still grows.
//
//   "<tool_call>~<function={name}>~{params}~</function>~</tool_call>"
//
// ~ is any white space, a newline is one or none, everything else outside of braces is itself.
// {name} {id}          a tool's name, a call's id
// {skip}               a word that is passed over
// {path}               an id that holds the name: functions.NAME:NUMBER
// {json}               the arguments, a JSON object
// {call} {calls}       an object with name and arguments; one or a list of them
// {keyed}              a list of objects with one member each: name and arguments
// {params}             any number of parameters, each by one of the parameters' patterns:
// {key}                its name; a second one is the same text again
// {value} {text} {typed}   its value up to what follows: as the tool's schema says, text, JSON
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/chat/output/json_scan.h"
#include "models/chat/output/tool_set.h"

namespace strata::models {

struct PatternPart {
  enum class Kind {
    literal,
    space,
    newline,
    name,
    id,
    path,
    skip,
    json,
    call,
    calls,
    keyed,
    params,
    key,
    value,
    text,
    typed
  } kind = Kind::literal;
  std::string literal = {};
};

std::vector<PatternPart> parse_pattern(std::string_view pattern);
// What a text that fits the pattern certainly begins with; "" where that is a field.
std::string leading_literal(const std::vector<PatternPart>& pattern);

// Matches the literal at text[at], and moves behind it.
Match match_literal(std::string_view text, size_t& at, std::string_view literal);
void skip_space(std::string_view text, size_t& at);

struct BegunCalls;

// The literal that ends a field: all literals behind it, up to the next field.
std::string literal_behind(const std::vector<PatternPart>& pattern, size_t field,
                           const std::string& key);
// Values between tags that are named after their keys: what tags begin with is not in them.
bool names_key_behind(const std::vector<PatternPart>& pattern, size_t field);

class CallPattern {
 public:
  CallPattern(std::string_view call, const std::vector<std::string>& params);

  // yes: `at` is behind the calls, which are appended. `begun`: what of them is there, whatever the
  // text becomes; null: nobody asks.
  Match match(std::string_view text, size_t& at, const ToolSet& tools, std::vector<ToolCall>& calls,
              BegunCalls* begun = nullptr) const;
  const std::vector<PatternPart>& parts() const { return parts_; }
  const std::vector<std::vector<PatternPart>>& params() const { return params_; }

 private:
  struct Filling;
  Match fill(std::string_view text, size_t& at, const PatternPart& part, Filling& filling) const;
  Match fill_params(std::string_view text, size_t& at, Filling& filling) const;

  std::vector<PatternPart> parts_;
  std::vector<std::vector<PatternPart>> params_;
};

}  // namespace strata::models
