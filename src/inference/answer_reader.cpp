#include "inference/answer_reader.h"

#include <algorithm>
#include <utility>

namespace strata::inference {

AnswerReader::AnswerReader(std::shared_ptr<const models::OutputPlan> plan)
    : plan_(std::move(plan)) {
  if (plan_) parser_ = models::make_output_parser(plan_->options);
}

std::string AnswerReader::push(std::string_view text) {
  if (!parser_) return std::string(text);
  const bool before = parser_->reasoning();
  std::string content = take(parser_->push(text));
  // The tags' tokens count as reasoning, too: they are written for its sake.
  if (before || parser_->reasoning()) ++reasoning_tokens_;
  return content;
}

std::string AnswerReader::finish(bool cut) {
  finished_ = true;
  return parser_ ? take(parser_->finish(cut)) : std::string();
}

std::string AnswerReader::take(models::OutputPieces pieces) {
  reasoning_ += pieces.reasoning;
  for (models::ToolCallPiece& call : pieces.calls) {
    // A list of calls can hold more than the caller allows.
    if (plan_->max_calls >= 0 && call.index >= plan_->max_calls) break;
    calls_.push_back(std::move(call));
  }
  n_calls_ += static_cast<int32_t>(pieces.n_ended);
  for (const models::TextRange& range : pieces.content_ranges) {
    pieces_.push_back({range, content_size_});
    content_size_ += range.end - range.begin;
  }
  return std::move(pieces.content);
}

std::string AnswerReader::take_reasoning() {
  return std::exchange(reasoning_, {});
}

std::vector<models::ToolCallPiece> AnswerReader::take_calls() {
  return std::exchange(calls_, {});
}

std::optional<int32_t> AnswerReader::forced_token() {
  if (!parser_) return std::nullopt;
  const int32_t budget = plan_->max_reasoning_tokens;
  if (budget >= 0 && parser_->reasoning() && reasoning_tokens_ >= budget) closing_ = true;
  if (closing_ && n_closed_ < plan_->closing.size()) return plan_->closing[n_closed_++];
  return std::nullopt;
}

bool AnswerReader::calls_enough() const {
  return plan_ && plan_->max_calls >= 0 && n_calls_ >= plan_->max_calls;
}

AnswerReader::Place AnswerReader::place(size_t begin, size_t end) {
  using Kind = Place::Kind;
  if (!parser_) return {Kind::content, begin, end};
  if (end > parser_->decided() && !finished_) return {};
  while (!pieces_.empty() && pieces_.front().text.end <= begin) pieces_.pop_front();
  Place place{.kind = Kind::elsewhere};
  for (const Piece& piece : pieces_) {
    const size_t from = std::max(begin, piece.text.begin);
    const size_t to = std::min(end, piece.text.end);
    if (from >= to) break;
    if (place.kind == Kind::elsewhere) place.begin = piece.content_begin + from - piece.text.begin;
    place.end = piece.content_begin + to - piece.text.begin;
    place.kind = Kind::content;
  }
  return place;
}

}  // namespace strata::inference
