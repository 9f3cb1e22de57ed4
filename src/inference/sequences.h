// What both executors do alike with sequences and the rows of a step: ids, lengths, checks.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "inference/executor.h"

namespace strata::inference {

// Lengths by sequence. Ids are never used twice in the life of an executor.
class Sequences {
 public:
  SequenceId create();
  void remove(SequenceId id);  // Error{not_found}
  int32_t length(SequenceId id) const;
  void set_length(SequenceId id, int32_t length);
  // Error{invalid_argument} when `length` is not in [0, length(id)].
  void check_truncation(SequenceId id, int32_t length) const;
  // Checks a step before anything of it is done: known sequences, ascending consecutive positions,
  // tokens of the vocabulary. Error{invalid_argument} with the row at fault.
  void check_rows(std::span<const Row> rows, int32_t n_vocab) const;
  // Of a model that is not causal: each sequence begins and ends here, its rows stand together.
  // Error{failed_precondition}.
  void check_whole(std::span<const Row> rows) const;
  void advance(std::span<const Row> rows);

 private:
  std::map<SequenceId, int32_t> lengths_;
  SequenceId next_ = 0;
};

}  // namespace strata::inference
