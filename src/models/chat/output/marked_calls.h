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
  bool ends_enforced = false;  // what keeps a call to its schema asks for the section's end, too
  bool bare = false;           // calls of offered tools may begin the answer without a marker
};

class MarkedFormat : public OutputFormat {
 public:
  explicit MarkedFormat(MarkedCalls data);

  std::string_view name() const override { return data_.name; }
  int32_t fits(std::string_view template_source) const override;
  std::vector<std::string> triggers() const override;
  std::vector<std::string> markers() const override;
  bool begins_bare(std::string_view text) const override;
  CallReading read(std::string_view text, bool inside, bool last,
                   const ToolSet& tools) const override;
  std::vector<CallTrigger> call_triggers(const ToolSet& tools) const override;
  std::string opening(const ToolSet& tools) const override;

 private:
  CallReading read_first(std::string_view text, const ToolSet& tools) const;
  CallReading read_behind(std::string_view text, const ToolSet& tools) const;
  CallReading read_call(std::string_view text, size_t at, const ToolSet& tools) const;

  const MarkedCalls data_;
  std::vector<CallPattern> patterns_;
};

}  // namespace strata::models
