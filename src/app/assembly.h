// Puts the parts together: settings and store into a backend, or a whole server.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/gateway/backend.h"
#include "core/config.h"
#include "models/hub/store.h"

namespace strata::app {

// The backend of `run`: the server where one of ours answers (unless `local`), else this process.
// Both throw Error{failed_precondition} when the server is another machine and offline is set.
std::unique_ptr<api::Backend> connect_backend(const Config& config, bool local);

// The server at server.host. Error{unavailable} with how to start one when none of ours answers.
std::unique_ptr<api::Backend> require_server(const Config& config);

struct ServeOptions {
  std::optional<int32_t> port;  // over the one in server.host
  bool require_key = false;
  bool allow_unprotected = false;
  std::vector<std::string> origins;  // besides server.origins
  std::vector<std::string> hosts;
  std::optional<std::string> script;  // a scripted backend only: its file, "-" for the built-in one
};

// A server with everything that it needs, serving. Errors: those of api::Server::start.
class RunningServer {
 public:
  virtual ~RunningServer() = default;
  virtual std::string address() const = 0;  // "http://127.0.0.1:11434"
  // A model to show a call with: `wanted` where it is served, else any; nullopt: there is none.
  virtual std::optional<std::string> example_model(const std::string& wanted) const = 0;
  virtual void stop() = 0;  // drains
};
std::unique_ptr<RunningServer> start_server(const Config& config, const ServeOptions& options);

// Host and port of a setting like "127.0.0.1:11434", "localhost", ":8080", "[::1]:80", "::1",
// "http://host:port". Error{invalid_argument}.
struct HostPort {
  std::string host;
  uint16_t port = 11434;
};
HostPort parse_host(const std::string& text);
// Where a client finds the server of server.host: "127.0.0.1:11434", also for "0.0.0.0" and
// ":11434".
std::string server_host(const Config& config);

// A line for a shell that asks the model at a server's address: a prompt for a base model, a
// message for the others. Models that are neither here nor in the catalogue count as the others.
// `with_key`: it sends the key that STRATA_API_KEY holds.
std::string example_call(const std::string& address, const std::string& model,
                         bool with_key = false);
// Where a browser finds the server that listens at `where` (parse_host), from another machine too
// where it listens everywhere: "http://192.168.1.5:11434" for "0.0.0.0:11434".
std::string browser_url(const std::string& where);
// The page that accepts an invitation (api/access/keys.h) of the server at `url`. Behind '#', which
// browsers keep to themselves.
std::string invitation_link(const std::string& url, const std::string& invitation);

// What is wrong with the settings that a server or a chat would refuse; one text each.
std::vector<std::string> setting_problems(const Config& config);

}  // namespace strata::app
