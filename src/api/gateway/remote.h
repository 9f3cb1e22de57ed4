// The remote backend: another strata on this machine answers, over its own HTTP interface. `run`
// uses it where a server is up, so that a model is loaded once.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/gateway/backend.h"
#include "core/net.h"

namespace strata::api {

// Base URL of a strata server that answers at host ("127.0.0.1:11434", "http://…"), or nullopt:
// nobody there, or somebody else's server (an Ollama, for example).
std::optional<std::string> find_server(const std::string& host);

// One answer at a time a connection; each start() has a thread of its own.
// `key`: sent as a Bearer token when not empty.
std::unique_ptr<Backend> make_remote_backend(std::string base_url, std::string key = {});

}  // namespace strata::api
