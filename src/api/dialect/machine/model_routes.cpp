// What fits this machine: the machine itself, the models that are known by name, and one that is
// here.
#include "api/dialect/dialect_common.h"
#include "api/dialect/machine/machine.h"
#include "api/library.h"
#include "api/machine.h"
#include "api/model_facts.h"
#include "core/cpu.h"
#include "core/os.h"
#include "core/secrets.h"
#include "models/hub/hf_api.h"
#include "tensor/ops.h"

namespace strata::api::machine {
namespace {

constexpr uint64_t kMaxContext = 1u << 24;

json::object need_json(const ModelNeed& need) {
  return {{"context", need.context},
          {"bytes", need.total()},
          {"weights_bytes", need.weight_bytes},
          {"cache_bytes", need.cache_bytes},
          {"work_bytes", need.work_bytes}};
}

uint64_t context_of(const Exchange& exchange) {
  return query_number(exchange, "context", 1, kMaxContext, kUsualContext);
}

void show_machine(const Services& services, Exchange& exchange) {
  const bool keeps = services.library != nullptr;
  respond_json(exchange,
               json::object{{"processor", cpu_features().brand},
                            {"cores", usable_cores()},
                            {"kernels", tensor::kernels().name},
                            {"memory_bytes", total_memory_bytes()},
                            {"available_bytes", available_memory_bytes()},
                            {"memory_bytes_per_second", memory_bandwidth()},
                            {"disk_free_bytes",
                             keeps ? free_disk_bytes(services.library->store().root()) : 0},
                            {"offline", keeps && services.library->policy().offline},
                            {"hub", models::hf_endpoint()}});
}

json::object entry_json(const models::CatalogEntry& entry, uint64_t context) {
  const ModelNeed need = need_of(entry, context);
  return {{"name", entry.name},
          {"kind", entry.kind},
          {"size", entry.size},
          {"licence", entry.licence},
          {"description", entry.description},
          {"context", entry.context},
          {"sha256", entry.sha256},
          {"sources", json::array(entry.sources.begin(), entry.sources.end())},
          {"memory", need_json(need)},
          {"tokens_per_second", fastest_writing(static_cast<double>(entry.size), need)}};
}

void list_catalog(const Services&, Exchange& exchange) {
  const uint64_t context = context_of(exchange);
  json::array list;
  for (const auto& entry : models::catalog()) list.push_back(entry_json(entry, context));
  respond_json(exchange, json::object{{"models", std::move(list)},
                                      {"memory_bytes", total_memory_bytes()},
                                      {"available_bytes", available_memory_bytes()}});
}

json::object model_json(const ModelFacts& facts) {
  json::object shares;
  for (const auto& [type, share] : facts.shares) shares[type] = share;
  json::array files;
  for (const auto& part : facts.manifest.model) {
    files.push_back(
        json::object{{"sha256", part.sha256}, {"size", part.size}, {"file", part.file}});
  }
  json::object out{{"name", facts.manifest.name},
                   {"kind", facts.manifest.kind},
                   {"licence", facts.licence},
                   {"source", mask_secrets(facts.manifest.source)},
                   {"parent", facts.manifest.parent},
                   {"created", facts.manifest.created},
                   {"files", std::move(files)},
                   {"architecture", facts.architecture},
                   {"parameters", facts.n_weights},
                   {"quantisation", facts.quantization},
                   {"quantisation_shares", std::move(shares)},
                   {"bits_per_weight", facts.bits_per_weight},
                   {"problem", facts.why_not}};
  if (!facts.runs) return out;
  const ModelFacts::Runs& runs = *facts.runs;
  out["context"] = runs.n_context;
  out["layers"] = runs.n_layers;
  out["vocabulary"] = runs.n_vocab;
  out["memory"] = need_json(runs.need);
  out["tokens_per_second"] = fastest_writing(runs.weight_bytes_a_token, runs.need);
  return out;
}

void show_model(const Services& services, Exchange& exchange) {
  const uint64_t context = context_of(exchange);
  respond_json(exchange,
               model_json(facts_of(library_of(services), param(exchange, "name"), context)));
}

}  // namespace

void add_model_routes(RouteTable& table, const Services& services) {
  const auto add = [&](const char* pattern, Handle handle) {
    add_route(table, services, "GET", pattern, Scope::inference, 0, handle);
  };
  add("/api/v1/machine", show_machine);
  add("/api/v1/catalog", list_catalog);
  add("/api/v1/models/{name}", show_model);
}

}  // namespace strata::api::machine
