// The text of an answer on its way from tokens to what the caller gets: reasoning and calls taken
// out where a plan says how, the rest as content. Without a plan all of it is content.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/chat/output/output_plan.h"

namespace strata::inference {

class AnswerReader {
 public:
  explicit AnswerReader(std::shared_ptr<const models::OutputPlan> plan);

  // The text of one more token (may be empty), and what became content of all the text so far.
  std::string push(std::string_view text);
  std::string finish(bool cut);  // the rest; `cut`: the answer does not end by itself

  // What became reasoning and calls since the last call.
  std::string take_reasoning();
  std::vector<models::ToolCallPiece> take_calls();

  // The token that has to come next: the reasoning has used up what it was given.
  std::optional<int32_t> forced_token();
  bool reasoning() const { return parser_ && parser_->reasoning(); }  // what comes next is such
  bool ends_inside(std::string_view text) const { return parser_ && parser_->ends_inside(text); }
  bool calls_enough() const;  // the answer has made as many as it may, and ends
  int32_t reasoning_tokens() const { return reasoning_tokens_; }

  // Where bytes [begin, end) of the text stand in the content.
  struct Place {
    enum class Kind { unknown, elsewhere, content } kind = Kind::unknown;
    size_t begin = 0;
    size_t end = 0;
  };
  // Asked in ascending order of begin.
  Place place(size_t begin, size_t end);

 private:
  struct Piece {
    models::TextRange text;
    size_t content_begin = 0;
  };
  std::string take(models::OutputPieces pieces);

  std::shared_ptr<const models::OutputPlan> plan_;
  std::unique_ptr<models::OutputParser> parser_;
  std::string reasoning_;
  std::vector<models::ToolCallPiece> calls_;
  int32_t n_calls_ = 0;  // that have ended
  int32_t reasoning_tokens_ = 0;
  size_t n_closed_ = 0;  // tokens of the closing that were forced
  bool closing_ = false;
  std::deque<Piece> pieces_;  // of the content, those that are still asked for
  size_t content_size_ = 0;
  bool finished_ = false;
};

}  // namespace strata::inference
