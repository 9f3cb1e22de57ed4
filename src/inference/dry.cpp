#include "inference/dry.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace strata::inference {
namespace {

// Where the breaker begins inside the piece and runs over its end: how many of its bytes the piece
// holds.
std::vector<size_t> overlaps(std::string_view piece, std::string_view breaker) {
  std::vector<size_t> lengths;
  const size_t longest = std::min(piece.size(), breaker.size() - 1);
  for (size_t length = 1; length <= longest; ++length) {
    if (piece.substr(piece.size() - length) == breaker.substr(0, length)) lengths.push_back(length);
  }
  return lengths;
}

// How far back a repetition may reach: to the last breaker in the window.
size_t reach(const DryBreakers& breakers, std::span<const int32_t> newest_first) {
  for (size_t i = 0; i < newest_first.size(); ++i) {
    const auto found = breakers.tails.find(newest_first[i]);
    if (found == breakers.tails.end()) continue;
    std::ptrdiff_t longest = -1;
    for (const std::vector<int32_t>& tail : found->second) {
      if (tail.size() > i || static_cast<std::ptrdiff_t>(tail.size()) <= longest) continue;
      const std::span<const int32_t> after = newest_first.subspan(i - tail.size(), tail.size());
      if (std::equal(tail.rbegin(), tail.rend(), after.begin())) {
        longest = static_cast<std::ptrdiff_t>(tail.size());
      }
    }
    if (longest >= 0) return i - static_cast<size_t>(longest);
  }
  return newest_first.size();
}

// z[k]: how many ids at the front equal those from k on (Gusfield, "Algorithms on strings", 1.4).
std::vector<size_t> z_function(std::span<const int32_t> ids) {
  std::vector<size_t> z(ids.size(), 0);
  for (size_t k = 1, left = 0, right = 0; k < ids.size(); ++k) {
    if (k < right) z[k] = std::min(right - k, z[k - left]);
    while (k + z[k] < ids.size() && ids[z[k]] == ids[k + z[k]]) ++z[k];
    if (k + z[k] > right) {
      left = k;
      right = k + z[k];
    }
  }
  return z;
}

}  // namespace

bool DryBreakers::breaks_alone(int32_t id) const {
  const auto found = tails.find(id);
  return found != tails.end() && std::any_of(found->second.begin(), found->second.end(),
                                             [](const auto& tail) { return tail.empty(); });
}

std::shared_ptr<const DryBreakers> make_dry_breakers(const models::Tokenizer& tokenizer,
                                                     std::span<const std::string> breakers) {
  auto result = std::make_shared<DryBreakers>();
  std::map<std::string, std::vector<int32_t>> rests;  // a breaker's rest is met by many tokens
  const auto rest_ids = [&](const std::string& rest) -> const std::vector<int32_t>& {
    const auto [it, added] = rests.try_emplace(rest);
    if (added) it->second = tokenizer.encode_text(rest);
    return it->second;
  };
  for (int32_t id = 0; id < tokenizer.n_vocab(); ++id) {
    const std::string piece = tokenizer.piece(id, true);
    for (const std::string& breaker : breakers) {
      if (breaker.empty()) continue;
      if (piece.find(breaker) != std::string::npos) {
        result->tails[id].push_back({});
        continue;
      }
      for (size_t length : overlaps(piece, breaker)) {
        const std::vector<int32_t>& tail = rest_ids(breaker.substr(length));
        std::vector<std::vector<int32_t>>& known = result->tails[id];
        if (std::find(known.begin(), known.end(), tail) == known.end()) known.push_back(tail);
      }
    }
  }
  return result;
}

std::vector<LogitPenalty> dry_penalties(const SamplerParams& params, const DryBreakers& breakers,
                                        std::span<const int32_t> history) {
  const bool whole = params.dry_penalty_last_n < 0;
  const size_t window =
      whole ? history.size()
            : std::min(history.size(), static_cast<size_t>(params.dry_penalty_last_n));
  const auto allowed = static_cast<size_t>(params.dry_allowed_length);
  if (params.dry_multiplier <= 0.0f || window <= allowed) return {};
  const std::vector<int32_t> newest_first(history.rbegin(),
                                          history.rbegin() + static_cast<std::ptrdiff_t>(window));
  const size_t limit = reach(breakers, newest_first);
  if (limit < allowed) return {};

  // The tokens before position k repeat the newest z[k]; the one at k - 1 came after them then, and
  // would make the repetition longer now.
  const std::vector<size_t> z = z_function(newest_first);
  std::map<int32_t, size_t> longest;
  for (size_t k = 1; k < window; ++k) {
    const size_t length = std::min(z[k], limit);
    if (length < allowed) continue;
    size_t& known = longest[newest_first[k - 1]];
    known = std::max(known, length);
  }

  // base^exponent must stay a finite float.
  constexpr float kLogOfLargest = 88.7228391f;
  const bool grows = params.dry_base > 1.000001f;
  const auto most = grows ? static_cast<size_t>(kLogOfLargest / std::log(params.dry_base)) : window;
  std::vector<LogitPenalty> penalties;
  for (const auto& [id, length] : longest) {
    if (breakers.breaks_alone(id)) continue;
    const auto exponent = static_cast<double>(std::min(length - allowed, most));
    const double penalty = static_cast<double>(params.dry_multiplier) *
                           std::pow(static_cast<double>(params.dry_base), exponent);
    penalties.push_back({id, static_cast<float>(penalty)});
  }
  return penalties;
}

}  // namespace strata::inference
