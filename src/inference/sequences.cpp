#include "inference/sequences.h"

#include "core/error.h"

namespace strata::inference {
namespace {

[[noreturn]] void unknown(SequenceId id) {
  throw Error(Code::not_found, fmt::format("no sequence {}", id));
}

}  // namespace

SequenceId Sequences::create() {
  const SequenceId id = next_++;
  lengths_.emplace(id, 0);
  return id;
}

void Sequences::remove(SequenceId id) {
  if (lengths_.erase(id) == 0) unknown(id);
}

int32_t Sequences::length(SequenceId id) const {
  const auto found = lengths_.find(id);
  if (found == lengths_.end()) unknown(id);
  return found->second;
}

void Sequences::set_length(SequenceId id, int32_t length) {
  const auto found = lengths_.find(id);
  if (found == lengths_.end()) unknown(id);
  found->second = length;
}

void Sequences::check_truncation(SequenceId id, int32_t length_wanted) const {
  if (length_wanted < 0 || length_wanted > length(id)) {
    throw Error(Code::invalid_argument,
                fmt::format("cannot cut a sequence of {} to {}", length(id), length_wanted));
  }
}

void Sequences::check_rows(std::span<const Row> rows, int32_t n_vocab) const {
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (row.token < 0 || row.token >= n_vocab) {
      throw Error(
          Code::invalid_argument,
          fmt::format("row {}: token {} is not in the vocabulary of {}", i, row.token, n_vocab));
    }
    int32_t expected = length(row.sequence);
    for (size_t j = i; j-- > 0;) {  // rows of a sequence nearly always stand together
      if (rows[j].sequence == row.sequence) {
        expected = rows[j].position + 1;
        break;
      }
    }
    if (row.position != expected) {
      throw Error(Code::invalid_argument,
                  fmt::format("row {}: position {} of sequence {}, {} comes next", i, row.position,
                              row.sequence, expected));
    }
  }
}

void Sequences::check_whole(std::span<const Row> rows) const {
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool follows = i > 0 && rows[i - 1].sequence == rows[i].sequence;
    if (follows || rows[i].position == 0) continue;
    throw Error(Code::failed_precondition,
                fmt::format("row {}: position {} of sequence {} comes apart from those before it; "
                            "this model sees whole sequences",
                            i, rows[i].position, rows[i].sequence));
  }
}

void Sequences::advance(std::span<const Row> rows) {
  for (const Row& row : rows) set_length(row.sequence, row.position + 1);
}

}  // namespace strata::inference
