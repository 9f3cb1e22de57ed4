// What changes the store over Ollama's interface, and what leaves it: pull, push, create, copy,
// delete.
#include <mutex>

#include "api/dialect/answer.h"
#include "api/dialect/dialect_common.h"
#include "api/dialect/ollama/ollama.h"
#include "api/library.h"
#include "api/store_errors.h"
#include "core/os.h"
#include "models/hub/known_names.h"
#include "models/hub/source.h"
#include "models/parameters.h"
#include "modify/mix.h"

namespace strata::api::ollama {
namespace {

constexpr uint64_t kReportPauseNs = 100'000'000;  // between two lines that only count further

ModelLibrary& library_of(const Services& services) {
  if (services.library) return *services.library;
  throw Error(Code::unimplemented, "this server keeps no models of its own");
}

// A new name that differs from one here in case alone is that one.
std::string spelt_as_here(const Services& services, const std::string& name) {
  if (models::is_source_reference(name) || models::names_a_file(name)) return name;
  const models::Store& store = library_of(services).store();
  const auto spelt =
      telling_no_paths(store.root(), [&] { return models::spelling_in(store, name); });
  return spelt == models::parse_model_name(name) ? name : spelt.full();
}

json::object status_json(std::string_view status) {
  return {{"status", status}};
}

void refuse_login(Fields& fields) {
  for (const char* key : {"username", "password"}) {
    refuse_if_given(fields, key, "log in on the server's machine: docker login");
  }
}

// A pull, a push or a create as its client sees it: lines of progress and a last word, or only
// that.
class JobReport {
 public:
  // quantizing: what that stage is called.
  JobReport(std::shared_ptr<Exchange> exchange, const Dialect& dialect, bool stream,
            std::string quantizing)
      : exchange_(std::move(exchange)),
        dialect_(dialect),
        stream_(stream),
        quantizing_(std::move(quantizing)) {}

  void progress(const models::PullProgress& now) {
    const std::lock_guard lock(mutex_);
    const std::string status = status_of(now);
    const uint64_t time = monotonic_ns();
    const bool counts_on = status == status_ && now.done != now.total;
    if (!stream_ || (counts_on && time - reported_ns_ < kReportPauseNs)) return;
    status_ = status;
    reported_ns_ = time;
    json::object line = status_json(status);
    if (!now.sha256.empty()) line["digest"] = "sha256:" + now.sha256;
    if (now.total > 0) {
      line["total"] = now.total;
      line["completed"] = now.done;
    }
    write(line);
  }

  void done(const models::Manifest* manifest, const Error* error) {
    const std::lock_guard lock(mutex_);
    if (error && !begun_) return exchange_->respond(error_response(dialect_, *error));
    json::object last = error ? error_json(*error) : status_json("success");
    if (manifest) last["strata"] = json::object{{"name", manifest->name}};
    if (!stream_) return exchange_->respond(json_response(last));
    write(last);
    exchange_->end();
  }

 private:
  std::string status_of(const models::PullProgress& now) const {
    if (now.stage == "quantizing") return quantizing_;
    if (now.stage == "resolving") return "pulling manifest";
    if (now.stage == "verifying") return "verifying sha256 digest";
    const bool pushes = now.stage == "pushing";
    if (now.stage != "downloading" && !pushes) return now.stage;
    return (pushes ? "pushing " : "pulling ") +
           (now.sha256.empty() ? now.file : now.sha256.substr(0, 12));
  }

  void write(const json::object& line) {
    if (!begun_) exchange_->begin(200, "application/x-ndjson");
    begun_ = true;
    std::string out;
    append_line(out, line);
    exchange_->write(out);  // a client that has gone takes the job with it
  }

  const std::shared_ptr<Exchange> exchange_;
  const Dialect& dialect_;
  const bool stream_;
  const std::string quantizing_;
  std::mutex mutex_;
  std::string status_;
  uint64_t reported_ns_ = 0;
  bool begun_ = false;
};

// Starts a job with the sinks that report it. `start`: (Progress, Done) → the job.
template <typename Start>
void report_job(const std::shared_ptr<Exchange>& exchange, const Dialect& dialect, bool stream,
                const std::string& quantizing, Start start) {
  const auto report = std::make_shared<JobReport>(exchange, dialect, stream, quantizing);
  exchange->keep(start(
      [report](const models::PullProgress& now) { report->progress(now); },
      [report](const models::Manifest* made, const Error* error) { report->done(made, error); }));
}

void pull(const std::shared_ptr<Exchange>& exchange, const Services& services,
          const Dialect& dialect) {
  const json::value body = read_body(exchange->request().body);
  Fields fields(body);
  const std::string model = read_model(fields);
  const bool stream = fields.boolean("stream").value_or(true);
  if (fields.boolean("insecure").value_or(false)) {
    fields.fail("insecure", "is true; what is fetched is always checked", "leave insecure out");
  }
  refuse_login(fields);
  fields.refuse_unread();
  report_job(exchange, dialect, stream, "", [&](auto progress, auto done) {
    return std::shared_ptr<ModelLibrary::Job>(library_of(services).pull(
        spelt_as_here(services, model), false, std::move(progress), std::move(done)));
  });
}

void push(const std::shared_ptr<Exchange>& exchange, const Services& services,
          const Dialect& dialect) {
  const json::value body = read_body(exchange->request().body);
  Fields fields(body);
  const std::string place = read_model(fields);
  const bool stream = fields.boolean("stream").value_or(true);
  const bool insecure = fields.boolean("insecure").value_or(false);
  refuse_login(fields);
  fields.refuse_unread();
  report_job(exchange, dialect, stream, "", [&](auto progress, auto done) {
    return std::shared_ptr<ModelLibrary::Job>(
        library_of(services).push(place, insecure, std::move(progress), std::move(done)));
  });
}

void add_parameter(Fields& fields, const std::string& name, const json::value& value,
                   models::Modelfile& modelfile) {
  if (value.is_array()) {
    for (const json::value& item : value.get_array()) {
      if (item.is_array()) fields.fail(name, "has a list in a list");
      add_parameter(fields, name, item, modelfile);
    }
    return;
  }
  if (value.is_object()) fields.fail(name, "must be a number, a text or a list of texts");
  if (value.is_null()) return;
  modelfile.overrides.parameters.emplace(
      name, value.is_string() ? std::string(value.get_string()) : to_json(value));
}

// A manifest keeps a role and a text of each message; what else one has must not get lost.
std::vector<models::Message> read_kept_messages(Fields& fields) {
  auto messages = read_messages(fields);
  for (size_t i = 0; i < messages.size(); ++i) {
    const models::Message& message = messages[i];
    const std::pair<std::string_view, bool> unkept[]{
        {"thinking", !message.reasoning.empty()},
        {"tool_calls", !message.tool_calls.empty()},
        {"tool_name", !message.name.empty()},
        {"tool_call_id", !message.tool_call_id.empty()}};
    for (const auto& [field, given] : unkept) {
      if (given) {
        fields.fail(fmt::format("messages[{}].{}", i, field), "is not kept by a model",
                    "send role and content only");
      }
    }
  }
  return messages;
}

models::Modelfile read_modelfile(Fields& fields) {
  const std::string on_the_machine = "on the server's machine: strata create NAME -f Modelfile";
  refuse_if_given(fields, "files", "name a model in from; files can be used " + on_the_machine);
  refuse_if_given(fields, "adapters", "use a model that has the adapter merged into it");
  refuse_if_given(fields, "path", "send from; a file can be used " + on_the_machine);
  refuse_if_given(fields, "modelfile",
                  "send from, system, template, parameters, messages; or " + on_the_machine);
  models::Modelfile modelfile;
  modelfile.from = read_model_name(fields, "from");
  if (auto source = fields.text("template"); source && !source->empty()) {
    modelfile.overrides.chat_template = std::move(source);
  }
  modelfile.overrides.system = fields.text("system").value_or("");
  modelfile.overrides.messages = read_kept_messages(fields);
  if (auto licences = fields.texts("license", kMaxStopStrings, models::kMaxModelfileBytes)) {
    modelfile.licences = std::move(*licences);
  }
  if (auto parameters = fields.object("parameters")) {
    for (const std::string& name : parameters->unread()) {
      add_parameter(*parameters, name, *parameters->get(name), modelfile);
    }
  }
  return modelfile;
}

// What the model is to be written as; null: as it is.
const modify::Mix* read_mix(Fields& fields, std::string_view key) {
  const auto type = fields.text(key);
  if (!type || type->empty()) return nullptr;
  try {
    return &modify::find_mix(*type);
  } catch (const Error& error) {
    fields.fail(key, error.message(), error.hint());
  }
}

// "quantize", or "quantization" as older clients write.
const modify::Mix* read_quantize(Fields& fields) {
  const modify::Mix* mix = read_mix(fields, "quantize");
  const modify::Mix* older = read_mix(fields, "quantization");
  if (mix && older && mix != older) {
    fields.fail("quantization", "and quantize differ", "send quantize only");
  }
  return mix ? mix : older;
}

void create(const std::shared_ptr<Exchange>& exchange, const Services& services,
            const Dialect& dialect) {
  const json::value body = read_body(exchange->request().body);
  Fields fields(body);
  const std::string model = read_model(fields);
  const bool stream = fields.boolean("stream").value_or(true);
  models::Modelfile modelfile = read_modelfile(fields);
  const modify::Mix* mix = read_quantize(fields);
  fields.refuse_unread();
  tell_ignored(*exchange, models::ignored_parameters(modelfile.overrides.parameters));
  const std::string quantizing = mix ? fmt::format("quantizing model to {}", mix->name) : "";
  report_job(exchange, dialect, stream, quantizing, [&](auto progress, auto done) {
    return std::shared_ptr<ModelLibrary::Job>(
        library_of(services).create(spelt_as_here(services, model), std::move(modelfile), mix,
                                    std::move(progress), std::move(done)));
  });
}

void copy(const std::shared_ptr<Exchange>& exchange, const Services& services) {
  const json::value body = read_body(exchange->request().body);
  Fields fields(body);
  const std::string source = read_model_name(fields, "source");
  const std::string destination = read_model_name(fields, "destination");
  fields.refuse_unread();
  library_of(services).copy(source, spelt_as_here(services, destination));
  exchange->respond(Response{});
}

void remove(const std::shared_ptr<Exchange>& exchange, const Services& services) {
  const json::value body = read_body(exchange->request().body);
  Fields fields(body);
  const std::string model = read_model(fields);
  fields.refuse_unread();
  ModelLibrary& library = library_of(services);
  services.gateway->unload(model);
  library.remove(model);
  exchange->respond(Response{});
}

}  // namespace

void add_change_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto add = [&](std::string method, std::string pattern, size_t limit, Handler handler) {
    table.add({std::move(method), std::move(pattern), Scope::models, limit, std::move(handler),
               std::string(dialect.name()), Lane::store});
  };
  add("POST", "/api/pull", kMaxSmallBodyBytes,
      [&services, &dialect](const auto& e) { pull(e, services, dialect); });
  add("POST", "/api/push", kMaxSmallBodyBytes,
      [&services, &dialect](const auto& e) { push(e, services, dialect); });
  add("POST", "/api/create", kMaxBodyBytes,
      [&services, &dialect](const auto& e) { create(e, services, dialect); });
  add("POST", "/api/copy", kMaxSmallBodyBytes, [&services](const auto& e) { copy(e, services); });
  add("DELETE", "/api/delete", kMaxSmallBodyBytes,
      [&services](const auto& e) { remove(e, services); });
}

}  // namespace strata::api::ollama
