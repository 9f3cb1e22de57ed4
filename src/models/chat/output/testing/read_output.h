// For tests: an answer read whole or in pieces, with all that came of it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "models/chat/output/output_parser.h"

namespace strata::models::testing {

struct ReadOutput {
  std::string reasoning, content;
  std::vector<ToolCall> calls;
  std::string from_ranges;  // the content again, cut out of the text
  size_t n_pieces = 0;      // of calls, and how many of them have ended
  size_t n_ended = 0;

  // But for the number of pieces.
  friend bool operator==(const ReadOutput& a, const ReadOutput& b) {
    return a.n_ended == b.n_ended && a.reasoning == b.reasoning && a.content == b.content &&
           a.from_ranges == b.from_ranges &&
           std::equal(a.calls.begin(), a.calls.end(), b.calls.begin(), b.calls.end(),
                      [](const ToolCall& x, const ToolCall& y) {
                        return x.id == y.id && x.name == y.name && x.arguments == y.arguments;
                      });
  }
  friend void PrintTo(const ReadOutput& read, std::ostream* out) {
    *out << "reasoning: " << read.reasoning << "\ncontent: " << read.content;
    for (const ToolCall& call : read.calls) {
      *out << "\ncall " << call.id << " " << call.name << " " << call.arguments;
    }
  }
};

inline void add(ReadOutput& read, const OutputPieces& pieces, std::string_view text) {
  read.reasoning += pieces.reasoning;
  read.content += pieces.content;
  for (const TextRange& range : pieces.content_ranges) {
    read.from_ranges += text.substr(range.begin, range.end - range.begin);
  }
  read.n_pieces += pieces.calls.size();
  read.n_ended += pieces.n_ended;
  for (const ToolCallPiece& piece : pieces.calls) {
    const auto index = static_cast<size_t>(piece.index);
    if (read.calls.size() <= index) read.calls.resize(index + 1);
    if (!piece.id.empty()) read.calls[index].id = piece.id;
    if (!piece.name.empty()) read.calls[index].name = piece.name;
    read.calls[index].arguments += piece.arguments;
  }
}

// `cuts`: where the pieces end, ascending. `cut`: the text is cut off at its end.
inline ReadOutput read_output(const OutputOptions& options, std::string_view text,
                              const std::vector<size_t>& cuts = {}, bool cut = false) {
  const auto parser = make_output_parser(options);
  ReadOutput read;
  size_t at = 0;
  for (const size_t end : cuts) {
    add(read, parser->push(text.substr(at, end - at)), text);
    at = end;
  }
  add(read, parser->push(text.substr(at)), text);
  add(read, parser->finish(cut), text);
  return read;
}

}  // namespace strata::models::testing
