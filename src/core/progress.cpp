#include "core/progress.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include <fmt/core.h>
#include <unistd.h>

#include "core/os.h"
#include "core/utf8.h"

namespace strata {
namespace {

constexpr uint64_t kRateWindowMs = 3'000;
constexpr uint64_t kRedrawMs = 100;
constexpr uint64_t kLineEveryMs = 5'000;
constexpr int kLineEveryPercent = 10;
constexpr int kPipeColumns = 200;
constexpr int kMinBar = 8;
constexpr int kMaxBar = 30;

int width(std::string_view text) {
  int columns = 0;
  for (size_t at = 0; at < text.size(); ++columns) next_code_point(text, at);
  return columns;
}

std::string cut(std::string_view text, int columns) {
  if (width(text) <= columns) return std::string(text);
  if (columns <= 0) return {};
  size_t at = 0;
  for (int i = 0; i + 1 < columns; ++i) next_code_point(text, at);
  return std::string(text.substr(0, at)) + "~";
}

std::string bar(double part, int columns, bool unicode) {
  static constexpr std::array<std::string_view, 8> kEighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(part, 0.0, 1.0) * columns * 8);
  const int full = eighths / 8;
  std::string out = unicode ? "▕" : "[";
  for (int i = 0; i < full; ++i) out += unicode ? "█" : "#";
  int used = full;
  if (unicode && eighths % 8 != 0) {
    out += kEighths[static_cast<size_t>(eighths % 8)];
    ++used;
  }
  out.append(static_cast<size_t>(columns - used), ' ');
  out += unicode ? "▏" : "]";
  return out;
}

bool terminal_shows_unicode() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (const auto value = environment(name)) {
      return value->find("UTF-8") != std::string::npos || value->find("utf8") != std::string::npos;
    }
  }
  return false;
}

void write_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

std::string format_bytes(uint64_t bytes) {
  static constexpr std::array<std::string_view, 6> kUnits{"B", "kB", "MB", "GB", "TB", "PB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_duration(uint64_t ms) {
  if (ms < 10'000) return fmt::format("{}.{}s", ms / 1000, ms % 1000 / 100);
  const uint64_t s = ms / 1000;
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}h{:02}m", s / 3600, s % 3600 / 60);
}

void Progress::update(uint64_t done, uint64_t now_ms) {
  done_ = done;
  if (!started_ || done < last_.done || now_ms < last_.ms) {  // begins, or begins again
    started_ = true;
    first_ = middle_ = last_ = {now_ms, done};
    return;
  }
  last_ = {now_ms, done};
  if (now_ms - middle_.ms >= kRateWindowMs) {
    first_ = middle_;
    middle_ = last_;
  }
}

std::optional<double> Progress::rate_per_second() const {
  if (last_.ms == first_.ms) return std::nullopt;
  return static_cast<double>(last_.done - first_.done) * 1000.0 /
         static_cast<double>(last_.ms - first_.ms);
}

std::optional<uint64_t> Progress::remaining_ms() const {
  const auto rate = rate_per_second();
  if (!rate || *rate <= 0 || total_ <= done_) return std::nullopt;
  const double ms = static_cast<double>(total_ - done_) / *rate * 1000.0;
  return static_cast<uint64_t>(std::min(ms, 3.6e9));
}

int Progress::percent() const {
  if (total_ == 0) return 0;
  return static_cast<int>(static_cast<double>(std::min(done_, total_)) /
                          static_cast<double>(total_) * 100.0);
}

std::string Progress::amount(uint64_t n) const {
  return unit_.empty() ? format_bytes(n) : fmt::format("{}", n);
}

std::string Progress::line(int columns, Bar style) const {
  std::string tail;
  if (total_ > 0) {
    tail = fmt::format("  {}/{}", amount(done_), amount(total_));
  } else if (done_ > 0) {
    tail = "  " + amount(done_);
  }
  if (!unit_.empty() && !tail.empty()) tail += " " + unit_;
  std::string rate;
  if (const auto per_second = rate_per_second()) {
    rate = fmt::format("  {}/s", amount(static_cast<uint64_t>(*per_second)));
  }
  if (const auto left = remaining_ms()) rate += "  " + format_duration(*left);
  const std::string share = total_ > 0 ? fmt::format("  {:3}%", percent()) : "";

  const int fixed = width(share) + width(tail);
  const int with_rate = width(label_) + fixed + width(rate);
  const int bar_columns = std::min(kMaxBar, columns - with_rate - 3);
  if (style != Bar::none && total_ > 0 && bar_columns >= kMinBar) {
    const double part = static_cast<double>(done_) / static_cast<double>(total_);
    return label_ + share + " " + bar(part, bar_columns, style == Bar::unicode) + tail + rate;
  }
  if (with_rate <= columns) return label_ + share + tail + rate;
  return cut(cut(label_, std::max(1, columns - fixed)) + share + tail, columns);
}

ProgressPrinter::Style ProgressPrinter::style_for(int descriptor, bool quiet) {
  if (quiet) return Style::quiet;
  return is_terminal(descriptor) && environment("TERM") != "dumb" ? Style::terminal : Style::lines;
}

void ProgressPrinter::show(std::string_view label, uint64_t done, uint64_t total,
                           std::string_view unit) {
  if (style_ == Style::quiet) return;
  const uint64_t now_ms = monotonic_ns() / 1'000'000;
  if (!progress_ || progress_->label() != label) {
    finish();
    progress_.emplace(std::string(label), total, std::string(unit));
    drawn_ms_ = 0;
    drawn_percent_ = -1;
  }
  progress_->set_total(total);
  progress_->update(done, now_ms);
  const bool complete = total > 0 && done >= total && drawn_percent_ != 100;
  const uint64_t waited = now_ms - drawn_ms_;
  const bool due =
      style_ == Style::terminal
          ? waited >= kRedrawMs
          : waited >= kLineEveryMs || progress_->percent() / kLineEveryPercent >
                                          std::max(drawn_percent_, 0) / kLineEveryPercent;
  if (drawn_percent_ < 0 || due || complete) draw(now_ms);
}

void ProgressPrinter::draw(uint64_t now_ms) {
  drawn_ms_ = now_ms;
  drawn_percent_ = progress_->percent();
  if (style_ == Style::terminal) {
    write_stderr("\r\x1b[K" + progress_->line(terminal_columns(STDERR_FILENO) - 1,
                                              terminal_shows_unicode() ? Progress::Bar::unicode
                                                                       : Progress::Bar::ascii));
    on_line_ = true;
  } else {
    write_stderr(progress_->line(kPipeColumns, Progress::Bar::none) + "\n");
  }
}

void ProgressPrinter::finish() {
  if (progress_ && style_ == Style::terminal && on_line_) {
    draw(monotonic_ns() / 1'000'000);
    write_stderr("\n");
  }
  on_line_ = false;
  progress_.reset();
}

}  // namespace strata
