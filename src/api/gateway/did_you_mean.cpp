#include "api/gateway/did_you_mean.h"

#include <algorithm>

#include "core/similar.h"

namespace strata::api {

Error model_not_found(std::string_view model, const std::vector<ModelCard>& known) {
  constexpr size_t kShown = 64;
  const std::string_view shown = model.substr(0, kShown);
  const ModelCard* nearest = nullptr;
  size_t best = shown.size() / 2 + 1;
  for (const ModelCard& card : known) {
    const size_t d = edit_distance(shown, card.name);
    const size_t without_tag =
        edit_distance(shown, std::string_view(card.name).substr(0, card.name.find(':')));
    if (std::min(d, without_tag) < best) {
      best = std::min(d, without_tag);
      nearest = &card;
    }
  }
  return Error(Code::not_found, fmt::format("there is no model '{}' here", shown),
               nearest ? fmt::format("did you mean '{}'? or: strata pull {}", nearest->name, shown)
                       : fmt::format("strata pull {}", shown));
}

}  // namespace strata::api
