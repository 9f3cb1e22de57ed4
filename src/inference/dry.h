// DRY ("don't repeat yourself"): lowers the tokens that would continue a repetition, the more the
// longer it already is. Method: p-e-w, text-generation-webui pull request 5677.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "inference/sampler_params.h"
#include "models/tokenizer/tokenizer.h"

namespace strata::inference {

// Where a repetition may not reach across: for each token that holds the whole of a breaker, or
// ends in its beginning, the tokens that must follow (none when it holds the whole).
struct DryBreakers {
  std::unordered_map<int32_t, std::vector<std::vector<int32_t>>> tails;

  bool breaks_alone(int32_t id) const;
};

// Walks the whole vocabulary: some 10 ms for 262,144 tokens, so make it once for a request.
std::shared_ptr<const DryBreakers> make_dry_breakers(const models::Tokenizer& tokenizer,
                                                     std::span<const std::string> breakers);

struct LogitPenalty {
  int32_t id = 0;
  float penalty = 0.0f;  // to subtract
};

// What to subtract, for each token that would continue a repetition; ordered by id.
std::vector<LogitPenalty> dry_penalties(const SamplerParams& params, const DryBreakers& breakers,
                                        std::span<const int32_t> history);

}  // namespace strata::inference
