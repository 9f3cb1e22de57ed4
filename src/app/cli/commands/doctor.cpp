// strata doctor
#include <unistd.h>

#include "api/gateway/remote.h"
#include "app/assembly.h"
#include "app/cli/command.h"
#include "app/cli/ignored.h"
#include "app/cli/output.h"
#include "core/config.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/net.h"
#include "core/os.h"
#include "core/progress.h"
#include "core/version.h"
#include "models/hub/catalog.h"
#include "tensor/ops.h"

namespace strata::app {
namespace {

struct Finding {
  std::string what;
  std::string value;
  std::string problem;  // empty: all is well
};

Finding disk_finding(const fs::path& folder) {
  const uint64_t free = free_disk_bytes(folder);
  Finding finding{"store", fmt::format("{} ({} free)", folder.string(), format_bytes(free)), ""};
  if (free < (2u << 30)) finding.problem = "little disk is left: strata rm MODEL frees some";
  return finding;
}

Finding permission_finding(const fs::path& folder) {
  fs::path existing = folder;
  while (!existing.empty() && !fs::exists(existing)) existing = existing.parent_path();
  const bool writable = access(existing.c_str(), W_OK) == 0;
  return {"permissions", writable ? "the store can be written" : "the store cannot be written",
          writable ? "" : fmt::format("no write permission in {}", existing.string())};
}

// Whether anybody answers there; a program that is silent counts, one that is not HTTP may not.
bool is_taken(const std::string& host) {
  NetPolicy policy;
  policy.allow_private = true;
  HttpRequest request;
  request.url = "http://" + host + "/";
  request.connect_timeout_ms = request.total_timeout_ms = 1'000;
  request.max_body_bytes = 1u << 20;
  try {
    http_request(request, policy);
    return true;
  } catch (const Error& error) {
    return error.code() != Code::unavailable;
  }
}

Finding server_finding(const Config& config) {
  const std::string host = server_host(config);
  if (const auto url = api::find_server(host)) return {"server", "answers on " + *url, ""};
  if (is_taken(host)) {
    return {"server", fmt::format("{} is taken by another program", host),
            "stop that program, or choose another port: strata serve --port N"};
  }
  return {"server", fmt::format("none on {}, the port is free; start one: strata serve", host), ""};
}

Finding kernel_finding() {
  std::string names;
  for (const auto* set : tensor::runnable_kernels()) {
    names += (names.empty() ? "" : ", ") + std::string(set->name);
  }
  return {"kernels",
          fmt::format("{} (this processor runs: {})", std::string(tensor::kernels().name), names),
          ""};
}

Finding config_finding() {
  const fs::path file = directories().config / "strata.yaml";
  if (!fs::exists(file)) return {"settings", file.string() + " (not there: defaults)", ""};
  return {"settings", file.string(), ""};
}

// What fits: every model of the catalogue against the memory that is free now.
std::vector<Finding> fit_findings() {
  std::vector<Finding> findings;
  const uint64_t free = available_memory_bytes();
  for (const auto& entry : models::catalog()) {
    // Weights, a context of 4,096 positions and the program itself; show foretells it exactly.
    const uint64_t need = entry.size + entry.size / 5 + (160u << 20);
    findings.push_back(
        {"fits",
         fmt::format("{} ({}): {}, needs about {} of {}", entry.name, entry.kind,
                     need <= free ? "yes" : "no", format_bytes(need), format_bytes(free)),
         ""});
  }
  return findings;
}

std::vector<Finding> examine(const Config& config) {
  const fs::path store = models::Store().root();
  std::vector<Finding> findings{
      {"version", std::string(version()), ""},
      {"processor",
       fmt::format("{}, {} cores for this process", cpu_features().brand, usable_cores()), ""},
      {"instructions", cpu_feature_names(), ""},
      kernel_finding(),
      {"memory",
       fmt::format("{} free of {}", format_bytes(available_memory_bytes()),
                   format_bytes(total_memory_bytes())),
       ""},
      disk_finding(store),
      permission_finding(store),
      config_finding(),
      server_finding(config)};
  for (auto& finding : fit_findings()) findings.push_back(std::move(finding));
  return findings;
}

class Doctor : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "doctor",
        .summary = "examine this machine: processor, kernels, memory, disk, ports, what fits",
        .description = "Ends with 1 when it finds a problem.",
        .options = {{"json", "", "print JSON"}},
        .examples = {{"strata doctor", "what this machine can do"},
                     {"strata doctor --json", "for programs"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    name_ignored_variables();
    const auto findings = examine(Config::load());
    bool healthy = true;
    json::array rows;
    std::string last;
    for (const auto& finding : findings) {
      healthy = healthy && finding.problem.empty();
      if (arguments.has("json")) {
        rows.emplace_back(json::object{
            {"what", finding.what}, {"value", finding.value}, {"problem", finding.problem}});
      } else {
        print(fmt::format("{:<14}{}\n", finding.what == last ? "" : finding.what, finding.value));
        last = finding.what;
        if (!finding.problem.empty())
          print(fmt::format("{:<14}problem: {}\n", "", finding.problem));
      }
    }
    if (arguments.has("json")) print_json(json::object{{"healthy", healthy}, {"findings", rows}});
    return healthy ? 0 : 1;
  }
};

const Registered<Command> registered{std::make_unique<Doctor>()};

}  // namespace
}  // namespace strata::app
