// An executor for tests: the logits of a row are a hash of the tokens up to it, the cache has
// pages and fills up, errors come when told. It checks the contract of inference/executor.h.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "inference/executor.h"
#include "inference/noise.h"

namespace strata::inference::testing {

struct Script {
  int32_t n_vocab = 0;
  int32_t n_pages = 1 << 20;
  int32_t page_positions = 4;
  std::set<int64_t> failing_steps{};  // by number, the first being 0
  float eos_bonus = 0.0f;             // added to the last id but one, ByteTokenizer's EOS
  bool broken_logits = false;         // all NaN
  bool only_wanted = false;           // what a row does not ask for is -inf
  size_t memory = SIZE_MAX;           // tokens that logits depend on: with few, texts repeat
  int64_t step_ns = 1000;             // what a step takes, and each of its rows more
  int64_t row_ns = 100;
};

// What a test may look at; outlives the executor.
struct ScriptLog {
  int64_t steps = 0;
  int64_t rejected = 0;  // steps that did not fit
  int64_t max_rows = 0;
  size_t live_sequences = 0;
  int32_t pages_used = 0;
  int64_t now_ns = 0;  // goes on with each step
  int64_t last_step_ns = 0;
};

class ScriptedExecutor : public Executor {
 public:
  ScriptedExecutor(Script script, std::shared_ptr<ScriptLog> log)
      : script_(std::move(script)), log_(std::move(log)) {}

  std::string_view kernels() const override { return "scripted"; }
  SequenceId create_sequence(int32_t /*n_tokens*/, int32_t /*n_prompt*/) override {
    sequences_[next_];
    log_->live_sequences = sequences_.size();
    return next_++;
  }
  void remove_sequence(SequenceId id) override {
    CHECK(sequences_.erase(id) == 1);
    log_->live_sequences = sequences_.size();
    log_->pages_used = used();
  }
  int32_t length(SequenceId id) const override {
    return static_cast<int32_t>(sequences_.at(id).size());
  }
  void truncate(SequenceId id, int32_t length) override {
    sequences_.at(id).resize(static_cast<size_t>(length));
  }
  bool fit(std::span<const Growth> more) const override {
    auto pages_used = used();
    for (const Growth& each : more) {
      pages_used += pages(length(each.sequence) + each.n) - pages(length(each.sequence));
    }
    return pages_used <= script_.n_pages;
  }
  std::span<const float> step(std::span<const Row> rows) override {
    CHECK(!rows.empty());
    if (script_.failing_steps.count(log_->steps + log_->rejected)) {
      ++log_->rejected;
      throw Error(Code::internal, "scripted failure");
    }
    auto after = sequences_;
    logits_.clear();
    for (const Row& row : rows) {
      std::vector<int32_t>& tokens = after.at(row.sequence);
      CHECK(row.position == static_cast<int32_t>(tokens.size()));
      CHECK(row.token >= 0 && row.token < script_.n_vocab);
      tokens.push_back(row.token);
      if (!row.wants_logits) continue;
      append_logits(hash_of(std::span(tokens).last(std::min(script_.memory, tokens.size()))));
      if (script_.only_wanted) keep_wanted(row.wanted);
    }
    int32_t needed = 0;
    for (const auto& [id, tokens] : after) needed += pages(static_cast<int32_t>(tokens.size()));
    if (needed > script_.n_pages) {
      ++log_->rejected;
      throw Error(Code::resource_exhausted, "the scripted cache is full");
    }
    sequences_ = std::move(after);
    ++log_->steps;
    log_->last_step_ns = script_.step_ns + script_.row_ns * static_cast<int64_t>(rows.size());
    log_->now_ns += log_->last_step_ns;
    log_->max_rows = std::max(log_->max_rows, static_cast<int64_t>(rows.size()));
    log_->pages_used = needed;
    return logits_;
  }
  ExecutorStats stats() const override {
    ExecutorStats stats;
    stats.kv_bytes_used = used();
    stats.n_positions_free = int64_t{script_.n_pages - used()} * script_.page_positions;
    return stats;
  }

 private:
  int32_t pages(int32_t n) const {
    return (n + script_.page_positions - 1) / script_.page_positions;
  }
  int32_t used() const {
    int32_t sum = 0;
    for (const auto& [id, tokens] : sequences_) sum += pages(static_cast<int32_t>(tokens.size()));
    return sum;
  }
  static uint64_t hash_of(std::span<const int32_t> tokens) {
    uint64_t hash = 0;
    for (const int32_t token : tokens) hash = mix64(hash * 31 + static_cast<uint64_t>(token) + 1);
    return hash;
  }
  void append_logits(uint64_t hash) {
    for (int32_t i = 0; i < script_.n_vocab; ++i) {
      const NoiseKey key{hash};
      float logit = static_cast<float>(8.0 * uniform(key, static_cast<uint64_t>(i)));
      if (i == script_.n_vocab - 2) logit += script_.eos_bonus;
      if (script_.broken_logits) logit = std::numeric_limits<float>::quiet_NaN();
      logits_.push_back(logit);
    }
  }
  // Of the last row's logits.
  void keep_wanted(const WantedLogits& wanted) {
    const auto last = std::span(logits_).last(static_cast<size_t>(script_.n_vocab));
    std::vector<float> ranked;
    for (int32_t i = 0; i < script_.n_vocab; ++i) {
      float& logit = last[static_cast<size_t>(i)];
      const bool allowed = wanted.allowed == nullptr || wanted.allowed->has(i);
      if (!allowed) logit = -std::numeric_limits<float>::infinity();
      ranked.push_back(logit);
    }
    const auto n = static_cast<size_t>(wanted.n_likeliest);
    if (n == 0 || n >= ranked.size()) return;
    std::ranges::sort(ranked, std::greater<>());
    for (float& logit : last) {
      if (logit < ranked[n - 1]) logit = -std::numeric_limits<float>::infinity();
    }
  }

  Script script_;
  std::shared_ptr<ScriptLog> log_;
  std::map<SequenceId, std::vector<int32_t>> sequences_;
  SequenceId next_ = 0;
  std::vector<float> logits_;
};

}  // namespace strata::inference::testing
