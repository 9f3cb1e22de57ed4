#include "api/gateway/did_you_mean.h"

#include <algorithm>

namespace strata::api {
namespace {

// Levenshtein distance over bytes.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substitute, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

Error model_not_found(std::string_view model, const std::vector<ModelCard>& known) {
  constexpr size_t kShown = 64;
  const std::string_view shown = model.substr(0, kShown);
  const ModelCard* nearest = nullptr;
  size_t best = shown.size() / 2 + 1;
  for (const ModelCard& card : known) {
    const size_t d = distance(shown, card.name);
    const size_t without_tag =
        distance(shown, std::string_view(card.name).substr(0, card.name.find(':')));
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
