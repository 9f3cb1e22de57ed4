// Normalised text on its way to words: pre-tokenizers cut its spans, drop some, and may rewrite it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strata::models {

struct RegexBudget;

struct Span {
  uint32_t begin = 0;
  uint32_t end = 0;
};

struct Words {
  // One span: all of `from`, which must outlive the words unless they are rewritten.
  // `regex`: of the whole text, which may have many fragments; must outlive the words.
  Words(std::string_view from, bool begins_text, RegexBudget& regex);
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;

  std::string_view span_text(Span span) const {
    return text.substr(span.begin, span.end - span.begin);
  }
  // The rewritten text that `spans` now count in.
  void rewrite(std::string rewritten, std::vector<Span> new_spans);

  std::string_view text;
  std::vector<Span> spans;  // ascending, none empty; what lies between is dropped
  RegexBudget* regex;
  bool begins_text = false;  // nothing stood before: no token, no other text

 private:
  std::string owned_;
};

// Collects the spans that a step leaves; empty ones are left out.
class SpanWriter {
 public:
  explicit SpanWriter(std::vector<Span>& out) : out_(&out) {}
  void put(size_t begin, size_t end) {
    if (begin < end) out_->push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
  }

 private:
  std::vector<Span>* out_;
};

// What happens to the matches of a pattern and to what stands between them.
enum class SplitBehavior : uint8_t {
  removed,
  isolated,
  merged_with_previous,
  merged_with_next,
  contiguous,
};

// Applies a behaviour to the matches and gaps of one span, which are added in order and cover it.
class MatchSplitter {
 public:
  MatchSplitter(SplitBehavior behavior, bool invert) : behavior_(behavior), invert_(invert) {}
  void add(size_t begin, size_t end, bool match) {
    parts_.push_back(
        {{static_cast<uint32_t>(begin), static_cast<uint32_t>(end)}, match != invert_});
  }
  // Appends the spans and begins anew.
  void finish(std::vector<Span>& out);

 private:
  struct Part {
    Span span;
    bool match = false;
  };
  void merge_forward(std::vector<Span>& out) const;
  void merge_backward(std::vector<Span>& out) const;

  SplitBehavior behavior_;
  bool invert_;
  std::vector<Part> parts_;
};

}  // namespace strata::models
