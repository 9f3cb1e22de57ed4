#include "inference/prediction.h"

#include <algorithm>

#include "inference/ngram.h"

namespace strata::inference {

Prediction::Prediction(std::vector<int32_t> expected)
    : expected_(std::move(expected)), met_(expected_.size()) {
  constexpr auto kWidth = static_cast<size_t>(kLeastMatch);
  const std::span<const int32_t> all(expected_);
  for (size_t end = kWidth; end <= all.size(); ++end) {
    places_.emplace_back(ngram_hash(all.subspan(end - kWidth, kWidth)), end);
  }
  std::ranges::sort(places_);
}

void Prediction::push(int32_t token) {
  answer_.push_back(token);
  if (at_ && *at_ < expected_.size() && expected_[*at_] == token) {
    meet(*at_, *at_ + 1);
    ++*at_;
    return;
  }
  if (at_) leave();
  find();
}

std::span<const int32_t> Prediction::next(int32_t most) const {
  if (!at_ || most < 1) return {};
  const auto rest = std::span(expected_).subspan(*at_);
  return rest.first(std::min(rest.size(), static_cast<size_t>(most)));
}

void Prediction::meet(size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    n_met_ += met_[i] ? 0 : 1;
    met_[i] = true;
  }
}

void Prediction::leave() {
  if (found_at_) {
    const bool paid =
        *at_ == expected_.size() || *at_ - *found_at_ >= static_cast<size_t>(kLeastMatch);
    match_wanted_ =
        paid ? std::max(kLeastMatch, match_wanted_ / 2) : std::min(kMostMatch, 2 * match_wanted_);
  }
  left_at_ = *at_;
  at_.reset();
}

void Prediction::find() {
  constexpr auto kWidth = static_cast<size_t>(kLeastMatch);
  if (answer_.size() < kWidth) return;
  const uint64_t hash = ngram_hash(std::span(answer_).last(kWidth));
  const size_t likely = left_at_ + kWidth;  // where what follows an insertion ends
  const auto after = std::ranges::lower_bound(places_, std::pair(hash, likely));
  const bool is_after = after != places_.end() && after->first == hash;
  const bool is_before = after != places_.begin() && std::prev(after)->first == hash;
  if (is_after && is_before) {
    const size_t behind = after->second, before = std::prev(after)->second;
    const bool nearer = behind - likely <= likely - before;
    if (goes_on_at(nearer ? behind : before)) return;
    goes_on_at(nearer ? before : behind);
  } else if (is_after || is_before) {
    goes_on_at(is_after ? after->second : std::prev(after)->second);
  }
}

bool Prediction::goes_on_at(size_t place) {
  const int32_t n = common_end(std::span(expected_).first(place), answer_, kMostMatch);
  if (n < match_wanted_) return false;
  meet(place - static_cast<size_t>(n), place);
  at_ = found_at_ = place;
  return true;
}

}  // namespace strata::inference
