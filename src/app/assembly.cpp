#include "app/assembly.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "api/access/guard.h"
#include "api/access/keys.h"
#include "api/conversation/history.h"
#include "api/document/document.h"
#include "api/files/batch_runner.h"
#include "api/gateway/local.h"
#include "api/gateway/model_traits.h"
#include "api/gateway/remote.h"
#include "api/gateway/scripted.h"
#include "api/jobs/job_board.h"
#include "api/library.h"
#include "api/prompt/registry.h"
#include "api/server.h"
#include "api/site.h"
#include "app/cli/output.h"
#include "app/in_range.h"
#include "core/byte_size.h"
#include "core/check.h"
#include "core/duration.h"
#include "core/error.h"
#include "core/json.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/os.h"
#include "core/secrets.h"
#include "models/hub/catalog.h"
#include "models/hub/source.h"

namespace strata::app {

extern const std::string_view kSiteBundle;  // web/embed.cpp

namespace {

std::string host_port_text(const HostPort& where) {
  const bool is_ipv6 = where.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", where.host, is_ipv6 ? "]" : "", where.port);
}

}  // namespace

HostPort parse_host(const std::string& text) {
  const auto bad = [&] {
    return Error(Code::invalid_argument, fmt::format("'{}' is no address to listen on", text),
                 "write for example 127.0.0.1:11434 or [::1]:11434");
  };
  HostPort out{"127.0.0.1", 11434};
  std::string_view rest = text;
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const size_t bracket = rest.rfind(']');
  const size_t colon = rest.rfind(':');
  const bool is_bare_ipv6 = bracket == std::string_view::npos && rest.find(':') != colon;
  const bool has_port = colon != std::string_view::npos && !is_bare_ipv6 &&
                        (bracket == std::string_view::npos || colon > bracket);
  std::string_view host = has_port ? rest.substr(0, colon) : rest;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (!host.empty()) out.host = std::string(host);
  if (has_port) {
    const std::string_view digits = rest.substr(colon + 1);
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (digits.empty() || result.ec != std::errc() || result.ptr != digits.data() + digits.size())
      throw bad();
  }
  if (out.host.find_first_of("/ \t[]@?#") != std::string::npos) throw bad();
  return out;
}

std::string server_host(const Config& config) {
  HostPort where = parse_host(config.text("server.host"));
  if (where.host == "0.0.0.0") where.host = "127.0.0.1";
  if (where.host == "::") where.host = "::1";
  return host_port_text(where);
}

std::string browser_url(const std::string& where) {
  HostPort place = parse_host(where);
  if (place.host == "0.0.0.0" || place.host == "::") place.host = outward_address();
  return "http://" + host_port_text(place);
}

std::string invitation_link(const std::string& url, const std::string& invitation) {
  return fmt::format("{}{}#/link/{}", url, url.ends_with('/') ? "" : "/", invitation);
}

namespace {

fs::path database_path() {
  return models::Store().root() / "strata.db";
}

bool is_base_model(const std::string& name) {
  try {
    const models::Store store;
    if (const auto manifest = store.try_find(name))
      return !api::traits_of(store, *manifest).has_template;
  } catch (const Error&) {
    // A damaged file or a name that is none: who asks for the model is told, not who starts a
    // server.
  }
  const auto* entry = models::find_in_catalog(name);
  return entry != nullptr && entry->kind == "base";
}

}  // namespace

std::string example_call(const std::string& address, const std::string& model, bool with_key) {
  const bool is_base = is_base_model(model);
  json::object body{{"model", model}};
  if (is_base)
    body["prompt"] = "The sky is";
  else
    body["messages"] = json::array{json::object{{"role", "user"}, {"content", "Hello"}}};
  return fmt::format("curl {}/v1/{} {}-H 'Content-Type: application/json' -d '{}'", address,
                     is_base ? "completions" : "chat/completions",
                     with_key ? "-H \"Authorization: Bearer $STRATA_API_KEY\" " : "",
                     to_json(body));
}

namespace {

constexpr int32_t kMostRequests = 1 << 16;  // above what the server's connections can bring

constexpr int32_t kMostDays = 36'500;

constexpr std::pair<std::string_view, Range> kNumbers[]{{"engine.threads", kThreads},
                                                        {"engine.context", {}},
                                                        {"server.max_models", {1, 1024}},
                                                        {"server.keep_days", {0, kMostDays}},
                                                        {"server.max_parallel", {1, kMostRequests}},
                                                        {"server.max_queue", {0, kMostRequests}}};

int32_t number_of(const Config& config, std::string_view key) {
  const auto row = std::ranges::find(kNumbers, key, [](const auto& each) { return each.first; });
  CHECK(row != std::end(kNumbers));
  return setting_in_range(config, key, row->second);
}

api::KeepLimits keep_limits(const Config& config) {
  return {.days = number_of(config, "server.keep_days"),
          .owner_bytes = parse_bytes(config.text("server.keep_bytes"))};
}

api::LocalOptions local_options(const Config& config) {
  api::LocalOptions options;
  options.n_threads = number_of(config, "engine.threads");
  options.context = number_of(config, "engine.context");
  options.keep_alive_ms = parse_duration_ms(config.text("server.keep_alive"));
  options.max_models = number_of(config, "server.max_models");
  options.max_parallel = number_of(config, "server.max_parallel");
  options.max_queue = number_of(config, "server.max_queue");
  options.cache_disk_bytes = parse_bytes(config.text("cache.disk"));
  options.cache_packed_bytes = parse_bytes(config.text("cache.packed"));
  options.kv = kv_setting(config);
  options.context_policy = api::parse_context_policy(config.text("engine.context_policy"));
  return options;
}

// What durations are told by: whole seconds would be none.
int64_t unix_ms() {
  using std::chrono::milliseconds;
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(since).count();
}

class ServerWithParts : public RunningServer {
 public:
  ServerWithParts(const Config& config, const ServeOptions& options)
      : keys_(database_path()),
        prompts_(database_path()),
        history_(database_path(), keep_limits(config)),
        files_(database_path(), models::Store().root() / "files", keep_limits(config)),
        library_(models::Store().root(), net_policy(config)),
        batches_(database_path(), files_, unix_ms, {}, keep_limits(config)) {
    if (options.script) {
      gateway_.add(api::make_scripted_backend(*options.script == "-"
                                                  ? api::default_script()
                                                  : api::parse_script(read_file(*options.script))));
    } else {
      gateway_.add(api::make_local_backend(local_options(config)));
    }
    api::Services services;
    services.gateway = &gateway_;
    services.library = &library_;
    services.jobs = &jobs_;
    services.prompts = &prompts_;
    services.files = &files_;
    services.batches = &batches_;
    services.metrics = &metrics_;
    services.history = &history_;
    services.keys = &keys_;
    services.site = &site_;
    services.documents = [](std::string_view bytes) {
      return api::read_document(bytes, "/proc/self/exe");
    };
    services.now_ms = unix_ms;
    services.default_model = config.text("model");
    server_ = std::make_unique<api::Server>(services, &keys_);
    server_->start(server_options(config, options));
  }

  std::string address() const override { return server_->address(); }
  std::optional<std::string> example_model(const std::string& wanted) const override {
    if (gateway_.serves(wanted)) return wanted;
    const auto models = gateway_.models();
    return models.empty() ? std::nullopt : std::optional(models.front().name);
  }
  void stop() override { server_->stop(); }

 private:
  static NetPolicy net_policy(const Config& config) {
    NetPolicy policy;
    policy.offline = config.boolean("offline");
    return policy;
  }

  static api::ServerOptions server_options(const Config& config, const ServeOptions& options) {
    const HostPort where = parse_host(config.text("server.host"));
    api::ServerOptions out;
    out.host = where.host;
    out.port = where.port;
    if (options.port) {
      out.port = static_cast<uint16_t>(*options.port);
    }
    out.require_key = options.require_key;
    out.allow_unprotected = options.allow_unprotected;
    out.allowed_hosts = options.hosts;
    std::string named = config.text("server.origins");
    for (const std::string& origin : options.origins) named += "," + origin;
    api::Origins origins = api::read_origins(named);
    out.allowed_origins = std::move(origins.allowed);
    out.local_pages = origins.local_pages;
    return out;
  }

  Metrics metrics_;
  const api::Site site_{kSiteBundle};
  api::KeyStore keys_;
  api::PromptRegistry prompts_;
  api::History history_;
  api::FileStore files_;
  api::ModelLibrary library_;
  api::JobBoard jobs_{library_};
  api::Gateway gateway_;
  api::BatchRunner batches_;             // before what it asks
  std::unique_ptr<api::Server> server_;  // last: it uses all of the above
};

}  // namespace

namespace {

bool is_this_machine(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// The server of server.host, nullptr where none of ours answers. Error{failed_precondition} for
// another machine's where settings allow no connection there.
std::unique_ptr<api::Backend> find_backend(const Config& config) {
  const std::string host = server_host(config);
  if (config.boolean("offline") && !is_this_machine(parse_host(host).host)) {
    throw Error(Code::failed_precondition,
                fmt::format("the server {} is another machine, and offline is set ({})", host,
                            config.origin("offline")),
                "leave one of the two out; strata run --local needs no server");
  }
  const auto url = api::find_server(host);
  if (!url) return nullptr;
  return api::make_remote_backend(*url, secret_environment("STRATA_API_KEY").value_or(""));
}

}  // namespace

std::unique_ptr<api::Backend> connect_backend(const Config& config, bool local) {
  if (!local) {
    if (auto backend = find_backend(config)) return backend;
  }
  return api::make_local_backend(local_options(config));
}

std::unique_ptr<api::Backend> require_server(const Config& config) {
  if (auto backend = find_backend(config)) return backend;
  const std::string host = server_host(config);
  throw Error(Code::unavailable, fmt::format("no strata server answers on {}", host),
              "start one: strata serve");
}

std::vector<std::string> setting_problems(const Config& config) {
  std::vector<std::string> problems;
  const auto attempt = [&](auto&& read) {
    try {
      read();
    } catch (const Error& error) {
      problems.push_back(error.message());
    }
  };
  attempt([&] { parse_host(config.text("server.host")); });
  attempt([&] { parse_duration_ms(config.text("server.keep_alive")); });
  attempt([&] { parse_bytes(config.text("server.keep_bytes")); });
  attempt([&] { parse_bytes(config.text("cache.disk")); });
  attempt([&] { parse_bytes(config.text("cache.packed")); });
  attempt([&] { kv_setting(config); });
  attempt([&] { api::parse_context_policy(config.text("engine.context_policy")); });
  for (const auto& [key, range] : kNumbers) {
    attempt([&] { setting_in_range(config, key, range); });
  }
  for (const char* key : {"offline", "history"}) attempt([&] { config.boolean(key); });
  attempt([&] { parse_log_level(config.text("log")); });
  attempt([&] {
    const std::string& model = config.text("model");
    if (!models::is_source_reference(model)) models::parse_model_name(model);
  });
  return problems;
}

std::unique_ptr<RunningServer> start_server(const Config& config, const ServeOptions& options) {
  return std::make_unique<ServerWithParts>(config, options);
}

}  // namespace strata::app
