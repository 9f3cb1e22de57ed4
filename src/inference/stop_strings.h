// Finds stop strings in a stream of text, and holds back text only while one may still match.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::inference {

constexpr size_t kMaxStops = 64;
constexpr size_t kMaxStopBytes = 1024;

// Throws Error{invalid_argument} for too many, too long or empty strings, and invalid UTF-8.
void validate_stops(std::span<const std::string> stops);

// The match that ends first wins; of those that end at the same byte, the longest. So the result
// depends on the text alone, never on how it was cut into pieces. Each byte costs O(1) amortised
// (Aho and Corasick, "Efficient string matching", 1975).
class StopMatcher {
 public:
  explicit StopMatcher(std::span<const std::string> stops);

  // Takes the next piece and returns the text that is certain to stand before every stop string.
  // After a match the rest of the piece is dropped and so is what comes later.
  std::string push(std::string_view piece);
  // The text ends here: what was held back.
  std::string finish();

  bool matched() const { return match_ >= 0; }
  const std::string& match() const;  // precondition: matched()

 private:
  struct Node {
    std::vector<std::pair<unsigned char, int32_t>> next;  // few: a linear walk is fastest
    int32_t fallback = 0;  // node of the longest proper suffix that begins a stop string
    int32_t depth = 0;
    int32_t stop = -1;  // the longest stop string that ends here
  };

  void add(const std::string& stop, int32_t index);
  void link();
  int32_t child(int32_t node, unsigned char byte) const;  // -1: none
  int32_t advance(int32_t node, unsigned char byte) const;

  std::vector<std::string> stops_;
  std::vector<Node> nodes_;
  int32_t state_ = 0;
  int32_t match_ = -1;
  std::string held_;
};

}  // namespace strata::inference
