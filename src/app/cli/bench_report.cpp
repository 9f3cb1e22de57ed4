#include "app/cli/bench_report.h"

#include <algorithm>

#include "app/cli/output.h"
#include "core/error.h"
#include "core/os.h"

namespace strata::app {
namespace {

struct Spread {
  double low = 0.0;
  double high = 0.0;
};
Spread spread_of(const BenchLine& line) {
  const auto [low, high] = std::minmax_element(line.speeds.begin(), line.speeds.end());
  return {*low, *high};
}

double first_token_seconds(const BenchLine& line) {
  return line.prompt / line.median();
}

json::object case_json(const BenchLine& line) {
  const auto [low, high] = spread_of(line);
  json::object row{
      {"name", line.name()}, {"tokens_per_second", line.median()}, {"min", low}, {"max", high}};
  if (line.generate) {
    row["generate"] = line.generated.n_tokens;
    row["batch"] = line.generated.batch;
    row["depth"] = line.generated.depth;
    row["memory_limit"] = line.limit;
  } else {
    row["prompt"] = line.prompt;
    row["first_token_seconds"] = first_token_seconds(line);
  }
  return row;
}

}  // namespace

double BenchLine::median() const {
  std::vector<double> sorted = speeds;
  std::sort(sorted.begin(), sorted.end());
  return sorted.empty() ? 0.0 : sorted[sorted.size() / 2];
}

std::string BenchLine::name() const {
  if (!generate) return fmt::format("prompt {}", prompt);
  std::string text = fmt::format("generate {}", generated.n_tokens);
  if (generated.batch > 1) text += fmt::format(", {} at once", generated.batch);
  if (generated.depth > 0) text += fmt::format(", depth {}", generated.depth);
  return text;
}

EarlierBench read_earlier_bench(const std::string& file) {
  const auto refuse = [&] {
    return Error(Code::invalid_argument, fmt::format("{} is not what bench --json prints", file));
  };
  const json::value parsed = parse_json(read_file(file));
  const auto* cases = parsed.is_object() ? parsed.as_object().if_contains("cases") : nullptr;
  if (cases == nullptr || !cases->is_array()) throw refuse();
  EarlierBench speeds;
  for (const json::value& each : cases->as_array()) {
    const auto* row = each.if_object();
    const auto* name = row != nullptr ? row->if_contains("name") : nullptr;
    const auto* speed = row != nullptr ? row->if_contains("tokens_per_second") : nullptr;
    if (name == nullptr || !name->is_string() || speed == nullptr || !speed->is_number()) {
      throw refuse();
    }
    speeds[std::string(name->as_string())] = speed->to_number<double>();
  }
  return speeds;
}

json::object bench_json(const std::vector<BenchLine>& lines, const BenchRun& run) {
  json::object out{{"kernels", run.kernels},
                   {"kv", run.kv},
                   {"threads", run.n_threads},
                   {"memory_bytes_per_second", run.bandwidth}};
  json::array cases;
  for (const BenchLine& line : lines) {
    const char* key = line.generate ? "generate_tokens_per_second" : "prompt_tokens_per_second";
    if (!out.contains(key)) {  // the first of its kind stands for all
      out[key] = line.median();
      if (!line.generate) out["first_token_seconds"] = first_token_seconds(line);
    }
    cases.emplace_back(case_json(line));
  }
  out["cases"] = std::move(cases);
  return out;
}

void print_bench(const std::vector<BenchLine>& lines, const BenchRun& run,
                 const std::optional<EarlierBench>& earlier) {
  std::vector<std::string> header{"", "TOKENS/S", "MIN TO MAX", "FIRST TOKEN", "MEMORY ALLOWS"};
  if (earlier) header.insert(header.end(), {"EARLIER", "RATIO"});
  std::vector<std::vector<std::string>> rows;
  for (const BenchLine& line : lines) {
    const auto [low, high] = spread_of(line);
    const double speed = line.median();
    rows.push_back(
        {line.name(), fmt::format("{:.1f}", speed), fmt::format("{:.1f} to {:.1f}", low, high),
         line.generate ? "" : fmt::format("{:.3f} s", first_token_seconds(line)),
         line.generate
             ? fmt::format("{:.0f}, this is {:.0f} %", line.limit, 100 * speed / line.limit)
             : ""});
    if (!earlier) continue;
    const auto then = earlier->find(line.name());
    const bool known = then != earlier->end();
    rows.back().push_back(known ? fmt::format("{:.1f}", then->second) : "");
    rows.back().push_back(known ? fmt::format("{:.2f}", speed / then->second) : "");
  }
  print_table(header, rows);
  complain(fmt::format("kernels {}, keys and values {}, {} thread{}, memory read at {:.1f} GB/s",
                       run.kernels, run.kv, run.n_threads, run.n_threads == 1 ? "" : "s",
                       run.bandwidth / 1e9));
}

}  // namespace strata::app
