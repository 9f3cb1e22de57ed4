#include "core/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/core.h>

namespace strata {
namespace {

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.begin(), buffer.end(), value).ptr;
  return {buffer.data(), end};
}

std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

void line(std::string& out, std::string_view name, const MetricLabels& labels,
          std::string_view value, std::string_view bound = {}) {
  out += name;
  if (!labels.empty() || !bound.empty()) {
    out += '{';
    for (const auto& [key, text] : labels) {
      if (out.back() != '{') out += ',';
      out += fmt::format("{}=\"{}\"", key, escaped(text, true));
    }
    if (!bound.empty()) out += fmt::format("{}le=\"{}\"", labels.empty() ? "" : ",", bound);
    out += '}';
  }
  out += fmt::format(" {}\n", value);
}

void histogram_lines(std::string& out, const std::string& name, const MetricLabels& labels,
                     const Histogram& histogram) {
  const auto snapshot = histogram.snapshot();
  const auto& bounds = histogram.bounds();
  for (size_t i = 0; i < snapshot.cumulative.size(); ++i) {
    line(out, name + "_bucket", labels, std::to_string(snapshot.cumulative[i]),
         i < bounds.size() ? number(bounds[i]) : "+Inf");
  }
  line(out, name + "_sum", labels, number(snapshot.sum));
  line(out, name + "_count", labels, std::to_string(snapshot.cumulative.back()));
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::observe(double value) {
  const auto at = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  const std::lock_guard lock(mutex_);
  ++counts_[static_cast<size_t>(at)];
  sum_ += value;
}

Histogram::Snapshot Histogram::snapshot() const {
  const std::lock_guard lock(mutex_);
  Snapshot snapshot{counts_, sum_};
  for (size_t i = 1; i < snapshot.cumulative.size(); ++i) {
    snapshot.cumulative[i] += snapshot.cumulative[i - 1];
  }
  return snapshot;
}

Metrics::Family& Metrics::family(const std::string& name, const std::string& help,
                                 const std::string& type) {
  Family& found = families_[name];
  found.help = help;
  found.type = type;
  return found;
}

Counter& Metrics::counter(const std::string& name, const std::string& help, MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = family(name, help, "counter").counters[std::move(labels)];
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help,
                              std::span<const double> bounds, MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  auto& slot = family(name, help, "histogram").histograms[std::move(labels)];
  if (!slot) slot = std::make_unique<Histogram>(std::vector<double>(bounds.begin(), bounds.end()));
  return *slot;
}

void Metrics::on_read(const std::string& name, const std::string& help, const std::string& type,
                      std::function<std::vector<Sample>()> read) {
  const std::lock_guard lock(mutex_);
  family(name, help, type).read = std::move(read);
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(family.help, false), name,
                       family.type);
    for (const auto& [labels, counter] : family.counters) {
      line(out, name, labels, std::to_string(counter->value()));
    }
    for (const auto& [labels, histogram] : family.histograms) {
      histogram_lines(out, name, labels, *histogram);
    }
    if (!family.read) continue;
    for (const Sample& sample : family.read()) {
      line(out, name, sample.labels, number(sample.value));
    }
  }
  return out;
}

}  // namespace strata
