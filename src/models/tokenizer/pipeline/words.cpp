#include "models/tokenizer/pipeline/words.h"

#include <algorithm>

#include "core/error.h"
#include "models/tokenizer/tokenizer_limits.h"

namespace strata::models {

Words::Words(std::string_view from, bool begins, RegexBudget& budget)
    : text(from), regex(&budget), begins_text(begins) {
  SpanWriter(spans).put(0, from.size());
}

void Words::rewrite(std::string rewritten, std::vector<Span> new_spans) {
  if (rewritten.size() > kMaxTextBytes) {
    throw Error(Code::resource_exhausted,
                fmt::format("the text grows over {} bytes when it is split", kMaxTextBytes),
                "send the text in smaller parts");
  }
  owned_ = std::move(rewritten);
  text = owned_;
  spans = std::move(new_spans);
}

void MatchSplitter::merge_forward(std::vector<Span>& out) const {
  const size_t first = out.size();
  bool previous = false;
  for (const Part& part : parts_) {
    const bool joins =
        behavior_ == SplitBehavior::contiguous ? part.match == previous : part.match && !previous;
    if (joins && out.size() > first) {
      out.back().end = part.span.end;
    } else {
      out.push_back(part.span);
    }
    previous = part.match;
  }
}

void MatchSplitter::merge_backward(std::vector<Span>& out) const {
  const size_t first = out.size();
  bool previous = false;
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
    if (part->match && !previous && out.size() > first) {
      out.back().begin = part->span.begin;
    } else {
      out.push_back(part->span);
    }
    previous = part->match;
  }
  std::reverse(out.begin() + static_cast<ptrdiff_t>(first), out.end());
}

void MatchSplitter::finish(std::vector<Span>& out) {
  const size_t first = out.size();
  switch (behavior_) {
    case SplitBehavior::removed:
    case SplitBehavior::isolated:
      for (const Part& part : parts_) {
        if (behavior_ == SplitBehavior::isolated || !part.match) out.push_back(part.span);
      }
      break;
    case SplitBehavior::merged_with_next:
      merge_backward(out);
      break;
    case SplitBehavior::merged_with_previous:
    case SplitBehavior::contiguous:
      merge_forward(out);
      break;
  }
  out.erase(std::remove_if(out.begin() + static_cast<ptrdiff_t>(first), out.end(),
                           [](Span span) { return span.begin == span.end; }),
            out.end());
  parts_.clear();
}

}  // namespace strata::models
