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
                   PromptRegistry* prompts = nullptr, History* history = nullptr) {
    gateway.add(make_scripted_backend(std::move(script)));
    Services services;
    services.gateway = &gateway;
    services.metrics = &metrics;
    services.library = library;
    services.prompts = prompts;
    services.history = history;
    services.now_ms = [] { return kNowMs; };
    server = std::make_unique<Server>(std::move(services), keys);
    options.port = 0;
    server->start(options);
  }
  uint16_t port() const { return server->port(); }
};

}  // namespace strata::api::testing
