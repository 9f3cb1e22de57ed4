// For tests: a server on a free port over the scripted backend, with a clock that stands still.
#pragma once

#include <memory>

#include "api/gateway/scripted.h"
#include "api/server.h"

namespace strata::api::testing {

constexpr int64_t kNowMs = 1'700'000'000'000;

struct Running {
  Gateway gateway;
  Metrics metrics;
  std::unique_ptr<Server> server;

  explicit Running(ScriptedOptions script = default_script(), ServerOptions options = {},
                   KeyChecker* keys = nullptr, ModelLibrary* library = nullptr,
                   PromptRegistry* prompts = nullptr, History* history = nullptr)
      : Running(make_scripted_backend(std::move(script)), with(library, prompts, history), options,
                keys) {}

  // With what else `services` has.
  explicit Running(std::unique_ptr<Backend> backend, Services services = {},
                   ServerOptions options = {}, KeyChecker* keys = nullptr) {
    gateway.add(std::move(backend));
    services.gateway = &gateway;
    services.metrics = &metrics;
    services.now_ms = [] { return kNowMs; };
    server = std::make_unique<Server>(std::move(services), keys);
    options.port = 0;
    server->start(options);
  }

  static Services with(ModelLibrary* library, PromptRegistry* prompts, History* history) {
    Services services;
    services.library = library;
    services.prompts = prompts;
    services.history = history;
    return services;
  }

  uint16_t port() const { return server->port(); }
};

}  // namespace strata::api::testing
