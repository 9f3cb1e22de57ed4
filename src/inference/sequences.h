// What both executors do alike with sequences and the rows of a step: ids, lengths, checks.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "inference/executor.h"

namespace strata::inference {

// Lengths by sequence, and those of their sources. Ids are never used twice in the life of an
// executor.
class Sequences {
 public:
  explicit Sequences(const models::ModelSpec& spec)
      : short_context_(spec.short_context), growing_from_(spec.growing_from) {}

  SequenceId create(int32_t n_tokens, int32_t n_prompt);  // as Executor::create_sequence
  // What all positions of a text depend on besides themselves. 0: it is a short one, or the model
  // does not tell; else long texts with the same number rotate alike: 1, or, where bases grow, the
  // length of the prompt.
  int32_t long_text(SequenceId id) const { return at(id).long_text; }
  bool may_reach(SequenceId id, int32_t length) const {
    return !is_long(length) || long_text(id) > 0;
  }
  void remove(SequenceId id);  // Error{not_found}
  int32_t length(SequenceId id) const;
  void set_length(SequenceId id, int32_t length);
  int32_t source(SequenceId id) const;  // tokens; 0: none was read
  void set_sources(std::span<const Source> sources);
  // Error{invalid_argument} when `length` is not in [0, length(id)].
  void check_truncation(SequenceId id, int32_t length) const;
  // Checks a step before anything of it is done: known sequences, ascending consecutive positions,
  // tokens of the vocabulary. Error{invalid_argument} with the row at fault, {failed_precondition}
  // where its sequence may not reach it.
  void check_rows(std::span<const Row> rows, int32_t n_vocab) const;
  // Of a model that is not causal: each sequence begins and ends here, its rows stand together.
  // Error{failed_precondition}.
  void check_whole(std::span<const Row> rows) const;
  // Sources that can be read: not empty, each of a sequence that has neither source nor text.
  // Error{failed_precondition}, and as check_rows.
  void check_sources(std::span<const Source> sources, int32_t n_vocab) const;
  // Of a model with an encoder: the rows' sequences have sources. Error{failed_precondition}.
  void check_have_sources(std::span<const Row> rows) const;
  void advance(std::span<const Row> rows);

 private:
  struct Lengths {
    int32_t text = 0;
    int32_t source = 0;
    int32_t long_text = 0;
  };
  bool is_long(int32_t length) const { return short_context_ > 0 && length > short_context_; }
  const Lengths& at(SequenceId id) const;

  const int32_t short_context_;
  const int32_t growing_from_;
  std::map<SequenceId, Lengths> lengths_;
  SequenceId next_ = 0;
};

// The sources' tokens as rows of a step, one sequence behind the other.
std::vector<Row> rows_of(std::span<const Source> sources);

}  // namespace strata::inference
