// strata doctor
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <unistd.h>

#include "api/gateway/remote.h"
#include "api/machine.h"
#include "app/assembly.h"
#include "app/cli/command.h"
#include "app/cli/ignored.h"
#include "app/cli/load_config.h"
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
  std::error_code ignored;
  while (existing.has_relative_path() && !fs::exists(existing, ignored)) {
    existing = existing.parent_path();
  }
  // Tried, not asked: root may write everywhere by the permissions, also where nobody can.
  std::string probe = (existing / ".tmp-doctor-XXXXXX").string();
  if (mkdtemp(probe.data()) != nullptr) {
    rmdir(probe.c_str());
    return {"permissions", "the store can be written", ""};
  }
  return {"permissions", "the store cannot be written",
          fmt::format("nothing can be made in {} ({}): set STRATA_HOME to a folder that can be "
                      "written",
                      existing.string(), std::system_category().message(errno))};
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
  std::string host;
  try {
    host = server_host(config);
  } catch (const Error& error) {
    return {"server", error.message(), ""};  // a problem of the settings, which are told above
  }
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

Finding config_finding(const Config& config) {
  const fs::path file = directories().config / "strata.yaml";
  std::error_code ignored;
  Finding finding{"settings", file.string(), ""};
  if (!fs::exists(file, ignored)) finding.value += " (not there: defaults)";
  for (const auto& problem : setting_problems(config)) {
    finding.problem += (finding.problem.empty() ? "" : "; ") + problem;
  }
  return finding;
}

// What fits: every model of the catalogue against the memory that is free now.
std::vector<Finding> fit_findings() {
  constexpr uint64_t kUsualContext = 4096;  // positions, as the app's pages begin with
  std::vector<Finding> findings;
  const uint64_t free = available_memory_bytes();
  for (const auto& entry : models::catalog()) {
    const uint64_t need = api::need_of(entry, kUsualContext).total();
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
      config_finding(config),
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
    const auto findings = examine(load_config(arguments));
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
