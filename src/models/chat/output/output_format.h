// How a model writes its calls of tools: one brick a format, found by the markers that its chat
// template writes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/chat/message.h"
#include "models/chat/output/json_scan.h"
#include "models/chat/output/think_tags.h"
#include "models/chat/output/tool_set.h"

namespace strata::models {

// What a format makes of the beginning of a text.
struct CallReading {
  // more: it may still become a call; of `calls` so much is there. calls: `size` bytes are calls.
  // broken: calls were begun in `size` bytes, and do not go on. end: behind the last of them,
  // `size` bytes close what they stand in. none: no call stands here.
  enum class Kind { more, calls, broken, end, none } kind = Kind::none;
  size_t size = 0;
  std::vector<ToolCall> calls = {};  // id: what the model wrote, where the format has one
};

// Where a text stands that a format is asked to read.
struct CallPlace {
  bool inside = false;  // behind a call that was read; otherwise it begins with a trigger, or bare
  bool last = false;    // no more text comes
  bool fragments = false;  // calls are told as soon as they have begun
};

// What has to stand behind `begin` in an answer: Lark's grammar, with %json for schemas.
struct CallTrigger {
  std::string begin;
  std::string lark;
  // `begin` is a grammar, too: an answer that begins so has to be by `lark` as a whole.
  bool bare = false;
  bool last = false;  // nothing stands behind such calls
};

// What stands before an answer's text or calls, where a rule says what these are: Lark's grammars
// with the rule start; "": nothing. A reasoning and what ends it is %reasoning.
struct AnswerFront {
  std::string any = {};   // whatever comes
  std::string text = {};  // and before text alone
};

class OutputParser;
struct OutputOptions;

class OutputFormat {
 public:
  virtual ~OutputFormat() = default;
  virtual std::string_view name() const = 0;
  // How surely a template that writes this text writes calls in this format; 0: it does not.
  virtual int32_t fits(std::string_view template_source) const = 0;
  // Texts one of which begins a call, anywhere in an answer.
  virtual std::vector<std::string> triggers() const = 0;
  // A call may begin the answer with no marker before it.
  virtual bool begins_bare(std::string_view text) const { return (void)text, false; }
  // Such a beginning is one of a call of these tools, whatever follows.
  virtual bool is_bare_call(std::string_view text, const ToolSet& tools) const {
    return (void)text, (void)tools, false;
  }
  // All texts with control tokens that calls are written with.
  virtual std::vector<std::string> markers() const { return triggers(); }
  virtual CallReading read(std::string_view text, const CallPlace& place,
                           const ToolSet& tools) const = 0;
  // How calls of these tools are kept to their names and schemas; none: by nothing.
  virtual std::vector<CallTrigger> call_triggers(const ToolSet& tools) const;
  // A parser of whole answers, where calls stand among parts that are reasoning and content; null:
  // calls stand in a text. Such a format reads answers that may make no calls, too.
  virtual std::unique_ptr<OutputParser> whole_parser(const OutputOptions& options) const;
  virtual bool reads_whole() const { return false; }
  // Ends the reasoning of such an answer.
  virtual std::string reasoning_end() const { return {}; }
  // What such an answer is written with, apart from calls.
  virtual AnswerFront front(ThinkState state, bool may_think) const;
};

// The brick that fits best; null: no format of calls is known for that template.
const OutputFormat* find_output_format(std::string_view template_source);

}  // namespace strata::models
