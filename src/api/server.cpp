#include "api/server.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "api/access/credentials.h"
#include "api/access/keys.h"
#include "api/conversation/history.h"
#include "api/document/limits.h"
#include "api/files/batch_runner.h"
#include "api/files/file_store.h"
#include "api/http/side_work.h"
#include "api/library.h"
#include "api/limits.h"
#include "api/metrics_history.h"
#include "api/timer.h"
#include "core/ascii.h"
#include "core/log.h"
#include "core/recent_log.h"
#include "core/similar.h"

namespace strata::api {
namespace {

const Dialect& dialect_for(std::string_view path) {
  const Dialect* fallback = nullptr;
  for (const auto& dialect : Registry<Dialect>::all()) {
    const bool owns = dialect->owns(path);
    if (owns && !dialect->shares()) return *dialect;
    if (owns || (fallback == nullptr && dialect->name() == "native")) fallback = dialect.get();
  }
  return *fallback;
}

const Dialect& dialect_named(std::string_view name) {
  for (const auto& dialect : Registry<Dialect>::all()) {
    if (dialect->name() == name) return *dialect;
  }
  throw Error(Code::internal, fmt::format("no dialect is named {}", name));
}

// Runs a handler; what it throws becomes the dialect's error.
Handler guarded(const Dialect& dialect, Handler handler) {
  return [&dialect, handler = std::move(handler)](const std::shared_ptr<Exchange>& exchange) {
    try {
      handler(exchange);
    } catch (const Error& error) {
      exchange->respond(error_response(dialect, error));
    } catch (const std::exception& error) {
      log_error("{}: {}", exchange->request().id, error.what());
      exchange->respond(error_response(
          dialect, Error(Code::internal, "the server failed at this request; its log says why")));
    }
  };
}

Handler greeted(const Dialect& dialect, Handler handler) {
  return [&dialect, handler = std::move(handler)](const std::shared_ptr<Exchange>& exchange) {
    dialect.greet(*exchange);
    handler(exchange);
  };
}

Handler failing(const Dialect& dialect, Error error, int status = 0) {
  return [&dialect, error = std::move(error), status](const std::shared_ptr<Exchange>& exchange) {
    Response response = error_response(dialect, error);
    if (status != 0) response.status = status;
    exchange->respond(std::move(response));
  };
}

Admission refusal(Handler handler) {
  Admission admission;
  admission.refused = true;
  admission.too_large = handler;
  admission.handler = std::move(handler);
  return admission;
}

// A slash that some clients put behind a route's path. Not of what deletes: an id that is empty by
// mistake would make one into all.
void drop_last_slash(const RouteTable& routes, Request& head) {
  std::string_view path = head.path;
  if (path.size() < 2 || !path.ends_with('/') || head.method == "DELETE") return;
  path.remove_suffix(1);
  if (path.ends_with('/')) return;
  const auto match = routes.match(head.method, path, &head.headers);
  if (match.route != nullptr || !match.allowed.empty()) head.path.pop_back();
}

// `origin`: the one that may read the answer; "": no page may, or none asked.
Handler with_cors(const std::string& origin, Handler handler) {
  if (origin.empty() || !handler) return handler;
  return [origin, handler = std::move(handler)](const std::shared_ptr<Exchange>& exchange) {
    exchange->add_header("access-control-allow-origin", origin);
    exchange->add_header("access-control-expose-headers",
                         "x-strata-notice, x-strata-ignored, x-request-id, request-id, "
                         "x-should-retry, retry-after");
    exchange->add_header("vary", "Origin");
    handler(exchange);
  };
}

// What a page that may call may send: whatever it asks for, since the makers' clients send a dozen
// headers of their own. Not what marks the app's own calls, which is worth something with its
// cookie.
std::string allowed_headers(const Request& preflight) {
  constexpr size_t kLongest = 4096;
  constexpr std::string_view kAlways = "authorization, content-type";
  const auto asked = preflight.headers.find("access-control-request-headers");
  const bool is_list = asked && !asked->empty() && asked->size() <= kLongest &&
                       std::ranges::all_of(*asked, [](char c) {
                         return is_ascii_alnum(c) || c == '-' || c == '_' || c == ',' || c == ' ';
                       });
  if (!is_list || lower_case(*asked).find(kFromAppHeader) != asked->npos) {
    return std::string(kAlways);
  }
  return std::string(*asked);
}

// Google's clients may say the key in the query. From here on it is as if a header had said it.
void take_query_key(Request& head) {
  auto key = query_value(head.query, "key");
  if (key && head.headers.find(kQueryKeyHeader) != *key) {
    head.headers.add(std::string(kQueryKeyHeader), std::move(*key));
  }
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

// What a path that is no route was meant to be, as far as it can be told.
std::string way_out(const RouteTable& routes, const Request& head) {
  constexpr size_t kLongestPath = 128;  // of longer ones none is near
  const std::string_view path = head.path;
  if (path.empty() || path.size() > kLongestPath) return "the routes are in docs/api.md";
  std::vector<std::string> patterns;
  for (const Route& route : routes.routes()) {
    if (route.method == head.method) patterns.push_back(route.pattern);
  }
  const auto near = similar_to(path, patterns);
  // Of a base URL that ends with what its client adds, too.
  for (size_t at = path.find('/', 1); at != path.npos; at = path.find('/', at + 1)) {
    const std::string_view rest = path.substr(at);
    const bool is_near = near.empty() || near.front() == rest;
    if (!is_near || routes.match(head.method, rest).route == nullptr) continue;
    return fmt::format("did you mean {}? Then the client's base URL ends before '{}'", rest,
                       path.substr(0, at));
  }
  return near.empty() ? "the routes are in docs/api.md" : did_you_mean(path, near);
}

}  // namespace

struct Server::State {
  Services services;
  KeyChecker* keys = nullptr;
  ServerOptions options;
  GuardOptions guard;
  AccessOptions access;
  RouteTable routes;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<SideWork> prompts, store, documents, network;
  MetricsHistory history;
  std::unique_ptr<Timer> sampler, upkeep;

  SideWork& beside(Lane lane) {
    if (lane == Lane::prompts) return *prompts;
    if (lane == Lane::store) return *store;
    return lane == Lane::documents ? *documents : *network;
  }

  std::mutex mutex;
  std::condition_variable stopped_changed;
  bool stopped = true;

  Admission admit(Request& head);
  // Where the path is a route's, `dialect` becomes that one's.
  Admission route(Request& head, const Dialect*& dialect);
  Handler on_lane(const Route& route, const Dialect& owner);
  // Whose answers a request gets, whatever becomes of it.
  const Dialect& owner_of(const Request& head) const;
  void answer_line(const std::shared_ptr<Exchange>& exchange);
  void done(const Request& request, int status, bool cut_off);
  void add_metrics();
  void remove_expired();
};

Server::Server(Services services, KeyChecker* keys) : state_(std::make_unique<State>()) {
  state_->services = std::move(services);
  state_->keys = keys;
  if (state_->services.keys) state_->services.gateway->tell(state_->services.keys);
  state_->services.beside = [s = state_.get()](std::function<void()> work) {
    s->prompts->run(std::move(work));
  };
  state_->services.metrics_history = &state_->history;
  for (const auto& dialect : Registry<Dialect>::all()) {
    dialect->add_routes(state_->routes, state_->services);
  }
  state_->add_metrics();
}

Server::~Server() {
  stop();
}

const RouteTable& Server::routes() const {
  return state_->routes;
}

// A page that may call may read every answer, also why it was refused.
Admission Server::State::admit(Request& head) {
  drop_last_slash(routes, head);
  const Dialect* dialect = &dialect_for(head.path);
  const std::string cors = cors_origin(head, guard);
  Admission admission;
  try {
    admission = route(head, dialect);
  } catch (const Error& error) {
    admission = refusal(failing(*dialect, error));
  }
  for (Handler* handler : {&admission.handler, &admission.too_large}) {
    if (*handler) *handler = with_cors(cors, greeted(*dialect, std::move(*handler)));
  }
  return admission;
}

Admission Server::State::route(Request& head, const Dialect*& dialect) {
  check_guard(head, guard);
  if (is_other_local_page(head, guard)) head.headers.remove("cookie");
  auto match = routes.match(head.method, head.path, &head.headers);
  if (!match.route) {
    if (match.allowed.empty()) {
      throw Error(
          Code::not_found,
          fmt::format("there is no {} {}", head.method.substr(0, 16), head.path.substr(0, 200)),
          way_out(routes, head));
    }
    const bool preflight = head.method == "OPTIONS";
    const bool is_cors = !cors_origin(head, guard).empty();
    return refusal([preflight, allowed = match.allowed, dialect,
                    is_cors](const std::shared_ptr<Exchange>& exchange) {
      Response response;
      if (!preflight) {
        response = error_response(
            *dialect, Error(Code::invalid_argument,
                            fmt::format("{} takes {}", exchange->request().path, allowed)));
      }
      response.status = preflight ? 204 : 405;
      response.headers.add("allow", allowed);
      if (preflight && is_cors) {
        response.headers.add("access-control-allow-methods", allowed);
        response.headers.add("access-control-allow-headers", allowed_headers(exchange->request()));
      }
      exchange->respond(std::move(response));
    });
  }
  const Dialect& owner = dialect_named(match.route->dialect);
  dialect = &owner;
  if (match.route->key_in_query) take_query_key(head);
  head.owner =
      authorize(head.headers, match.route->scope, access, keys, services.now_ms() / 1000).key_id;
  if (access.require_key) check_not_forged(head);
  head.params = std::move(match.params);
  Admission admission;
  admission.body_limit = match.route->body_limit;
  admission.handler = on_lane(*match.route, owner);
  admission.too_large = failing(
      owner,
      Error(Code::invalid_argument,
            fmt::format("the body is over this route's limit of {} bytes", admission.body_limit)),
      413);
  return admission;
}

// The route's handler, guarded, where it belongs. Nobody works for a client that has gone.
Handler Server::State::on_lane(const Route& route, const Dialect& owner) {
  Handler handler = guarded(owner, route.handler);
  if (route.lane == Lane::direct) return handler;
  SideWork& side = beside(route.lane);
  return guarded(owner, [&side, handler = std::move(handler)](const auto& exchange) {
    side.run([handler, exchange] {
      if (!exchange->gone()) handler(exchange);
    });
  });
}

// A request of a batch takes the way of all others, on the thread of batches.
void Server::State::answer_line(const std::shared_ptr<Exchange>& exchange) {
  const Request& request = exchange->request();
  const Route* route = routes.match(request.method, request.path, &request.headers).route;
  const Handler missing = [](const std::shared_ptr<Exchange>& unknown) {
    throw Error(Code::not_found, fmt::format("there is no POST {}", unknown->request().path));
  };
  guarded(owner_of(request), route ? route->handler : missing)(exchange);
}

const Dialect& Server::State::owner_of(const Request& head) const {
  const Route* route = routes.match(head.method, head.path, &head.headers).route;
  return route ? dialect_named(route->dialect) : dialect_for(head.path);
}

void Server::State::done(const Request& request, int status, bool cut_off) {
  const auto match = routes.match(request.method, request.path, &request.headers);
  const std::string route = match.route ? match.route->pattern : "none";
  services.metrics
      ->counter("strata_http_requests_total", "Requests by route and status.",
                {{"route", route}, {"status", cut_off ? "499" : std::to_string(status)}})
      .add();
  log_info("{} {} {} {} {}{}", request.id, request.peer, request.method.substr(0, 16), route,
           status, cut_off ? " cut off" : "");
}

void Server::State::add_metrics() {
  const auto gauge = [this](const char* name, const char* help, const char* type, auto value) {
    services.metrics->on_read(name, help, type, [gateway = services.gateway, value] {
      std::vector<Metrics::Sample> samples;
      for (const RunningModel& model : gateway->running()) {
        samples.push_back(
            {{{"model", model_label(model.card.name)}}, static_cast<double>(value(model))});
      }
      return samples;
    });
  };
  gauge("strata_requests_running", "Requests that are being answered.", "gauge",
        [](const RunningModel& m) { return m.running; });
  gauge("strata_requests_waiting", "Requests in the queue.", "gauge",
        [](const RunningModel& m) { return m.queued; });
  gauge("strata_kv_bytes_used", "Bytes of the KV cache in use.", "gauge",
        [](const RunningModel& m) { return m.stats.executor.kv_bytes_used; });
  gauge("strata_kv_bytes_reserved", "Bytes of the KV cache that are reserved.", "gauge",
        [](const RunningModel& m) { return m.stats.executor.kv_bytes_reserved; });
  gauge("strata_kv_bytes_kept", "Bytes of the KV cache kept of answers that have ended.", "gauge",
        [](const RunningModel& m) { return m.stats.executor.kv_bytes_kept; });
  gauge("strata_decode_steps_total", "Steps that decoded.", "counter",
        [](const RunningModel& m) { return m.stats.decode_steps; });
  gauge("strata_decode_tokens_total", "Tokens generated in these steps.", "counter",
        [](const RunningModel& m) { return m.stats.decode_tokens; });
  gauge("strata_guessed_tokens_total", "Tokens that were guessed from the text and verified.",
        "counter", [](const RunningModel& m) { return m.stats.guessed_tokens; });
  gauge("strata_right_guesses_total", "Guessed tokens that were right.", "counter",
        [](const RunningModel& m) { return m.stats.right_guesses; });
  gauge("tokens_per_step",
        "Mean tokens generated in a step that decoded: one for each answer at work, and the "
        "right guesses.",
        "gauge", [](const RunningModel& m) {
          return m.stats.decode_steps == 0 ? 0.0
                                           : static_cast<double>(m.stats.decode_tokens) /
                                                 static_cast<double>(m.stats.decode_steps);
        });
}

void Server::State::remove_expired() {
  const int64_t now_s = services.now_ms() / 1000;
  if (services.history) services.history->expire(now_s);
  if (services.files) services.files->remove_expired(now_s);
}

void Server::start(const ServerOptions& options) {
  State& s = *state_;
  if (!is_loopback(options.host) && !options.require_key && !options.allow_unprotected) {
    throw Error(Code::failed_precondition,
                fmt::format("{} can be reached from other machines and no key would be asked for",
                            options.host),
                "use --require-key (strata key create makes one), or --allow-unprotected where "
                "the network is yours alone");
  }
  if (options.require_key && !s.keys) {
    throw Error(Code::failed_precondition, "keys are required and there is no key store");
  }
  s.options = options;
  s.guard = {options.require_key, options.allowed_hosts, options.allowed_origins,
             options.local_pages && is_loopback(options.host)};
  s.access = {options.require_key};
  s.services.require_key = options.require_key;
  s.services.keys_manageable = options.require_key || is_loopback(options.host);
  HttpOptions http;
  http.host = options.host;
  http.port = options.port;
  http.max_connections = options.max_connections;
  http.max_backlog_bytes = options.max_backlog_bytes;
  http.ping_interval_ms = options.ping_interval_ms;
  http.header_timeout_ms = options.header_timeout_ms;
  http.body_pause_ms = options.body_pause_ms;
  http.body_timeout_ms = options.body_timeout_ms;
  http.now_ms = options.now_ms;
  HttpHooks hooks;
  hooks.admit = [&s](Request& head) { return s.admit(head); };
  hooks.malformed = [&s](int status, const std::string& message, const Request& head) {
    Response response = error_response(s.owner_of(head), Error(Code::invalid_argument, message));
    response.status = status;
    if (status == 503) response.headers.add("retry-after", "1");
    return response;
  };
  hooks.done = [&s](const Request& request, int status, bool cut_off) {
    s.done(request, status, cut_off);
  };
  s.prompts = std::make_unique<SideWork>("prompts", kSideThreads, kMaxWaitingPrompts);
  s.store =
      std::make_unique<SideWork>("requests to the store", kSideThreads, kMaxWaitingStoreRequests);
  s.documents = std::make_unique<SideWork>("documents", kDocumentThreads, kMaxWaitingDocuments);
  s.network =
      std::make_unique<SideWork>("questions to a hub", kSideThreads, kMaxWaitingHubQuestions);
  if (s.services.batches) {
    s.services.batches->start(
        [&s](const std::shared_ptr<Exchange>& exchange) { s.answer_line(exchange); },
        [&s](const std::string& owner) {
          const KeyStore* keys = s.services.keys;
          return owner.empty() || keys == nullptr ||
                 keys->is_live(owner, s.services.now_ms() / 1000);
        });
  }
  s.http = HttpServer::start(http, std::move(hooks));
  keep_recent_log(LogLevel::info);
  s.sampler = std::make_unique<Timer>("a reading of the server's state", kHistoryStepMs, [&s] {
    s.history.add(s.services.now_ms(), MetricsHistory::read(*s.services.gateway));
  });
  s.upkeep = std::make_unique<Timer>("deleting what has expired", kExpiryPauseMs,
                                     [&s] { s.remove_expired(); });
  const std::lock_guard lock(s.mutex);
  s.stopped = false;
}

uint16_t Server::port() const {
  return state_->http->port();
}

std::string Server::address() const {
  const std::string host = state_->http->host();
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port());
}

void Server::stop() {
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    if (s.stopped) return;
    s.stopped = true;
  }
  if (s.services.library) s.services.library->stop();  // a pull goes on where it was, another day
  if (s.services.batches) s.services.batches->stop();  // likewise
  if (s.services.history) s.services.history->feed.close();  // would hold up the drain
  s.sampler.reset();
  s.upkeep.reset();
  s.http->stop(s.options.drain_ms);
  s.prompts->stop();
  s.store->stop();
  s.documents->stop();
  s.network->stop();
  s.stopped_changed.notify_all();
}

void Server::wait() {
  std::unique_lock lock(state_->mutex);
  state_->stopped_changed.wait(lock, [this] { return state_->stopped; });
}

}  // namespace strata::api
