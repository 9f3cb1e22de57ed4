// Progress of something counted in bytes or items: a pure model (figures → one line) and a printer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace strata {

std::string format_bytes(uint64_t bytes);  // "98.4 MB", decimal as disks and downloads count
std::string format_duration(uint64_t ms);  // "0.8s", "42s", "3m20s", "2h05m"

// Knows done, total and when; the rate is that of the last seconds. Time comes from the caller.
class Progress {
 public:
  // unit: what is counted, "tokens"; empty: bytes.
  explicit Progress(std::string label, uint64_t total = 0, std::string unit = {})
      : label_(std::move(label)), unit_(std::move(unit)), total_(total) {}

  void set_label(std::string label) { label_ = std::move(label); }
  void set_total(uint64_t total) { total_ = total; }  // 0: not known
  void update(uint64_t done, uint64_t now_ms);

  const std::string& label() const { return label_; }
  uint64_t done() const { return done_; }
  uint64_t total() const { return total_; }
  std::optional<double> rate_per_second() const;  // nullopt until two readings lie apart
  std::optional<uint64_t> remaining_ms() const;
  int percent() const;  // 0..100; 0 when the total is not known

  // "label  42% ▕████    ▏  41.3 MB/98.4 MB  12.0 MB/s  5s", never wider than `columns`: the bar
  // is left out first, then the rate, then the label is cut.
  enum class Bar { none, ascii, unicode };
  std::string line(int columns, Bar bar = Bar::unicode) const;

 private:
  struct Reading {
    uint64_t ms = 0;
    uint64_t done = 0;
  };
  std::string amount(uint64_t n) const;

  std::string label_;
  std::string unit_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  Reading first_;   // of the window that the rate is taken over
  Reading middle_;  // becomes the next window's first
  Reading last_;
  bool started_ = false;
};

// Draws to stderr: on a terminal one line redrawn at most ten times a second, on a pipe a line
// every 10 % or 5 s, nothing when quiet. Not thread-safe.
class ProgressPrinter {
 public:
  enum class Style { terminal, lines, quiet };
  static Style style_for(int descriptor, bool quiet);

  explicit ProgressPrinter(Style style) : style_(style) {}
  ~ProgressPrinter() { finish(); }
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  // A new label ends the line before and begins another.
  void show(std::string_view label, uint64_t done, uint64_t total, std::string_view unit = {});
  void finish();  // draws the last state and ends the line

 private:
  void draw(uint64_t now_ms);
  Style style_;
  std::optional<Progress> progress_;
  uint64_t drawn_ms_ = 0;
  int drawn_percent_ = -1;
  bool on_line_ = false;
};

}  // namespace strata
