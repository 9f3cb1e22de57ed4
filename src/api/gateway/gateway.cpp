#include "api/gateway/gateway.h"

#include <algorithm>

#include "api/gateway/did_you_mean.h"
#include "core/error.h"

namespace strata::api {

void Gateway::add(std::unique_ptr<Backend> backend) {
  backends_.push_back(std::move(backend));
}

bool Gateway::serves(std::string_view model) const {
  return std::ranges::any_of(backends_, [&](const auto& each) { return each->serves(model); });
}

std::unique_ptr<Answer> Gateway::start(ChatRequest request, ChatSink sink) const {
  for (const auto& backend : backends_) {
    if (backend->serves(request.model)) return backend->start(std::move(request), std::move(sink));
  }
  throw model_not_found(request.model, models());
}

std::vector<ModelCard> Gateway::models() const {
  std::vector<ModelCard> all;
  for (const auto& backend : backends_) {
    for (ModelCard& card : backend->models()) {
      const bool known =
          std::ranges::any_of(all, [&](const auto& other) { return other.name == card.name; });
      if (!known) all.push_back(std::move(card));
    }
  }
  std::ranges::sort(all, {}, &ModelCard::name);
  return all;
}

std::vector<RunningModel> Gateway::running() const {
  std::vector<RunningModel> all;
  for (const auto& backend : backends_) {
    for (RunningModel& model : backend->running()) all.push_back(std::move(model));
  }
  return all;
}

bool Gateway::unload(std::string_view model) const {
  for (const auto& backend : backends_) {
    if (backend->serves(model)) return backend->unload(model);
  }
  return false;
}

}  // namespace strata::api
