// /api/v1/jobs: models that are pulled or quantised, whoever looks at it.
#include "api/dialect/dialect_common.h"
#include "api/dialect/machine/machine.h"
#include "api/jobs/job_board.h"
#include "api/limits.h"
#include "core/secrets.h"
#include "modify/mix.h"

namespace strata::api::machine {
namespace {

JobBoard& jobs_of(const Services& services) {
  if (services.jobs) return *services.jobs;
  throw Error(Code::unimplemented, "this server keeps no models of its own");
}

std::string_view state_name(JobInfo::State state) {
  switch (state) {
    case JobInfo::State::running:
      return "running";
    case JobInfo::State::paused:
      return "paused";
    case JobInfo::State::failed:
      return "failed";
    case JobInfo::State::done:
      break;
  }
  return "done";
}

json::object job_json(const JobInfo& job) {
  return {{"id", job.id},
          {"kind", job.kind == JobInfo::Kind::pull ? "pull" : "quantize"},
          {"state", state_name(job.state)},
          {"model", mask_secrets(job.model)},
          {"type", job.type},
          {"name", job.name},
          {"stage", job.stage},
          {"done_bytes", job.done},
          {"total_bytes", job.total},
          {"bytes_per_second", job.bytes_per_second},
          {"error", job.error},
          {"hint", job.hint}};
}

void list(const Services& services, Exchange& exchange) {
  json::array jobs;
  for (const JobInfo& job : jobs_of(services).list()) jobs.push_back(job_json(job));
  json::array types;
  for (const modify::Mix& mix : modify::all_mixes()) types.push_back(json::string(mix.name));
  respond_json(exchange, json::object{{"data", std::move(jobs)}, {"types", std::move(types)}});
}

void add(const Services& services, Exchange& exchange) {
  const json::value body = read_body(exchange.request().body);
  Fields fields(body);
  const std::string kind = fields.required_text("kind");
  const std::string model = read_model_name(fields, "model");
  if (kind == "pull") {
    fields.refuse_unread();
    return respond_json(exchange, job_json(jobs_of(services).pull(model)));
  }
  if (kind != "quantize") fields.fail("kind", "must be pull or quantize");
  const std::string type = fields.required_text("type");
  const std::string name = read_model_name(fields, "name");
  fields.refuse_unread();
  respond_json(exchange, job_json(jobs_of(services).quantize(model, type, name)));
}

void pause(const Services& services, Exchange& exchange) {
  respond_json(exchange, job_json(jobs_of(services).pause(param(exchange, "id"))));
}

void resume(const Services& services, Exchange& exchange) {
  respond_json(exchange, job_json(jobs_of(services).resume(param(exchange, "id"))));
}

void remove(const Services& services, Exchange& exchange) {
  const std::string id = param(exchange, "id");
  jobs_of(services).remove(id);
  respond_json(exchange, json::object{{"id", id}, {"deleted", true}});
}

}  // namespace

void add_job_routes(RouteTable& table, const Services& services) {
  const auto add_one = [&](const char* method, const char* pattern, Handle handle) {
    add_route(table, services, method, pattern, Scope::models, kMaxSmallBodyBytes, handle);
  };
  add_route(table, services, "GET", "/api/v1/jobs", Scope::inference, 0, list);
  add_one("POST", "/api/v1/jobs", add);
  add_one("POST", "/api/v1/jobs/{id}/pause", pause);
  add_one("POST", "/api/v1/jobs/{id}/resume", resume);
  add_one("DELETE", "/api/v1/jobs/{id}", remove);
}

}  // namespace strata::api::machine
