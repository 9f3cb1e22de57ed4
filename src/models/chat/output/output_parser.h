// Takes an answer apart while it is written: reasoning, content, calls of tools. What comes out
// depends on the text alone, never on how it was cut into pieces: the pieces joined are the same.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/chat/message.h"
#include "models/chat/output/output_format.h"
#include "models/chat/output/think_tags.h"
#include "models/chat/output/tool_set.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::models {

struct OutputPieces {
  std::string reasoning = {};
  std::string content = {};
  std::vector<TextRange> content_ranges = {};  // where the content stands in all the text pushed
  std::vector<ToolCallPiece> calls = {};       // the first piece of each has its id and its name
  size_t n_ended = 0;                          // calls of which no more pieces come
};

class OutputParser {
 public:
  virtual ~OutputParser() = default;
  // The next piece of the text, any bytes, with the markers' control tokens spelled. Cut within
  // characters it keeps those together that were whole.
  virtual OutputPieces push(std::string_view text) = 0;
  // The text ends here: by itself, or cut off. Of a call that is not whole its arguments end here,
  // where they are told in fragments. Otherwise it is content, but nothing where it was cut off.
  virtual OutputPieces finish(bool cut) = 0;
  virtual bool reasoning() const = 0;  // what comes next is reasoning
  // Whether the reasoning would end inside this text, with more than white space behind its end.
  virtual bool ends_inside(std::string_view text) const { return (void)text, false; }
  virtual size_t decided() const = 0;  // bytes pushed that have become pieces, or are markers
};

// How one answer is to be read.
struct OutputOptions {
  const OutputFormat* format = nullptr;  // of calls; null: none are read
  ThinkTags think = {};
  ThinkState state = ThinkState::may_begin;
  ToolSet tools = {};  // empty: text that looks like a call is content
  uint64_t id_seed = 0;
  // Arguments are passed on while they are written; the rule that the model is kept to has to make
  // them JSON. Otherwise a call comes whole, in one piece.
  bool fragments = false;
  bool calls_only = false;  // the model is kept to calls: of a text that is cut off none is content
};

std::unique_ptr<OutputParser> make_output_parser(OutputOptions options);

// An id of a call: 9 letters and digits, a function of its arguments.
std::string make_call_id(uint64_t seed, uint64_t index);

}  // namespace strata::models
