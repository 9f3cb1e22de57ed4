// The formats that are markers around names and arguments: each is one table of patterns.
#pragma once

#include "models/chat/output/call_grammar.h"
#include "models/chat/output/call_pattern.h"
#include "models/chat/output/output_format.h"

namespace strata::models {

struct MarkedCalls {
  std::string name;
  // Alternatives: a template of this format writes all texts of one of them.
  std::vector<std::vector<std::string>> marks;
  int32_t fit = 1;  // of several formats, the greatest
  // Pairs of texts that stand around all calls together; empty: calls stand alone.
  std::vector<std::pair<std::string, std::string>> sections = {};
  std::vector<std::string> calls;  // patterns (call_pattern.h); the first that matches
  std::vector<std::string> params = {};
  CallKeys keys = {};  // of {call} and {calls}, as the model is trained to write them
  std::vector<std::string> separators = {};  // that may stand between calls, beside white space
  std::vector<std::string> no_calls = {};    // names that stand for not calling anything
  // Calls of offered tools may begin the answer without a marker: {call}, the name first. They, and
  // those behind markers, end the answer.
  bool bare = false;
};

class MarkedFormat : public OutputFormat {
 public:
  explicit MarkedFormat(MarkedCalls data);

  std::string_view name() const override { return data_.name; }
  int32_t fits(std::string_view template_source) const override;
  std::vector<std::string> triggers() const override;
  std::vector<std::string> markers() const override;
  bool begins_bare(std::string_view text) const override;
  bool is_bare_call(std::string_view text, const ToolSet& tools) const override;
  CallReading read(std::string_view text, const CallPlace& place,
                   const ToolSet& tools) const override;
  std::vector<CallTrigger> call_triggers(const ToolSet& tools) const override;

 private:
  // What is asked of a text, all along.
  struct Asked {
    std::string_view text;
    const ToolSet& tools;
    bool fragments = false;
    bool behind = false;  // another call
  };
  CallReading read_first(const Asked& asked) const;
  CallReading read_behind(const Asked& asked) const;
  CallReading read_call(const Asked& asked, size_t at) const;
  CallReading read_pattern(const CallPattern& pattern, const Asked& asked, size_t at) const;
  CallTrigger bare_trigger(const ToolSet& tools) const;
  bool begins_as_call(std::string_view text, size_t at, const ToolSet& tools) const;
  std::vector<ToolCall> without_no_calls(std::vector<ToolCall> calls) const;
  bool is_kept(const CallPattern& pattern, bool behind) const;
  std::string enforced_end(std::string_view open) const;
  std::string shortest_beginning(const std::string& literal) const;

  const MarkedCalls data_;
  std::vector<CallPattern> patterns_;
};

}  // namespace strata::models
