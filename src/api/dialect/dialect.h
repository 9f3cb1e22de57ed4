// The brick Dialect: one wire format, read into the one internal request and written from the one
// event stream. A folder each; it registers its routes and its error shape.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/document/document.h"
#include "api/gateway/gateway.h"
#include "api/http/router.h"
#include "core/metrics.h"
#include "core/registry.h"

namespace strata::api {

class History;
class BatchRunner;
class FileStore;
class JobBoard;
class MetricsHistory;
class ModelLibrary;
class KeyStore;
class PromptRegistry;
class Site;

// What dialects work with; outlives every request.
struct Services {
  Gateway* gateway = nullptr;
  ModelLibrary* library = nullptr;    // the store's side: pull, create…; null: none
  PromptRegistry* prompts = nullptr;  // null: none are kept
  FileStore* files = nullptr;         // null: none are kept
  BatchRunner* batches = nullptr;     // null: none are run; the server starts and stops it
  Metrics* metrics = nullptr;
  std::function<int64_t()> now_ms = {};  // since 1970
  // Runs work that would hold up the thread which calls, the engine's. The server provides it.
  std::function<void(std::function<void()>)> beside{};
  History* history = nullptr;    // conversations and responses; null: none are kept
  KeyStore* keys = nullptr;      // null: nobody can sign in, and none are made
  const Site* site = nullptr;    // the app's files; null: none are served
  DocumentReader documents{};    // of attached files; empty: none are read
  bool require_key = false;      // the server sets it, and the next one
  bool keys_manageable = false;  // whoever is admin here is the operator, or has an admin's key
  std::string default_model{};   // which is meant where several could be
  JobBoard* jobs = nullptr;      // pulls and the like that go on by themselves; null: none
  const MetricsHistory* metrics_history = nullptr;  // the server sets it
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual std::string_view name() const = 0;
  // Whether errors of an unknown path are this dialect's.
  virtual bool owns(std::string_view path) const = 0;
  // Whether others own parts of what it owns: they are asked first.
  virtual bool shares() const { return false; }
  // Adds the headers that all of its answers carry, errors too.
  virtual void greet(Exchange& exchange) const { (void)exchange; }
  // Its status is the code's own (core/error.h) where it is left at 200.
  virtual Response error(const Error& error) const = 0;
  // Handlers may throw; the server answers with error().
  virtual void add_routes(RouteTable& table, const Services& services) const = 0;
};

// The model's label in metrics, the same in all of them: its full name.
std::string model_label(std::string_view name);

// The error as a response of the dialect: status, Retry-After where it helps, body.
Response error_response(const Dialect& dialect, const Error& error);
// Joins "message" and "hint" for shapes that have one text.
std::string full_text(const Error& error);

}  // namespace strata::api
