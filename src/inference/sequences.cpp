#include "inference/sequences.h"

#include <algorithm>

#include "core/error.h"

namespace strata::inference {
namespace {

[[noreturn]] void unknown(SequenceId id) {
  throw Error(Code::not_found, fmt::format("no sequence {}", id));
}

}  // namespace

SequenceId Sequences::create(int32_t n_tokens, int32_t n_prompt) {
  const SequenceId id = next_++;
  const int32_t n_first = n_prompt > 0 ? n_prompt : n_tokens;
  Lengths lengths;
  if (is_long(n_tokens)) lengths.long_text = 1;
  if (growing_from_ > 0 && n_first > growing_from_) lengths.long_text = n_first;
  lengths_.emplace(id, lengths);
  return id;
}

void Sequences::remove(SequenceId id) {
  if (lengths_.erase(id) == 0) unknown(id);
}

const Sequences::Lengths& Sequences::at(SequenceId id) const {
  const auto found = lengths_.find(id);
  if (found == lengths_.end()) unknown(id);
  return found->second;
}

int32_t Sequences::length(SequenceId id) const {
  return at(id).text;
}

int32_t Sequences::source(SequenceId id) const {
  return at(id).source;
}

void Sequences::set_length(SequenceId id, int32_t length) {
  const auto found = lengths_.find(id);
  if (found == lengths_.end()) unknown(id);
  found->second.text = length;
}

void Sequences::set_sources(std::span<const Source> sources) {
  for (const Source& source : sources) {
    lengths_.at(source.sequence).source = static_cast<int32_t>(source.tokens.size());
  }
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
    if (!may_reach(row.sequence, row.position + 1)) {
      throw Error(Code::failed_precondition,
                  fmt::format("row {}: position {} of sequence {}, which was created for a text of "
                              "at most {} tokens",
                              i, row.position, row.sequence, short_context_));
    }
  }
}

void Sequences::check_sources(std::span<const Source> sources, int32_t n_vocab) const {
  for (size_t i = 0; i < sources.size(); ++i) {
    const Source& source = sources[i];
    const Lengths& lengths = at(source.sequence);
    const bool twice = std::any_of(sources.begin(), sources.begin() + static_cast<ptrdiff_t>(i),
                                   [&](const Source& s) { return s.sequence == source.sequence; });
    if (lengths.text > 0 || lengths.source > 0 || twice || source.tokens.empty()) {
      throw Error(
          Code::failed_precondition,
          fmt::format("sequence {} has a source of {} tokens and a text of {}: it can't get "
                      "a source of {}",
                      source.sequence, lengths.source, lengths.text, source.tokens.size()));
    }
    for (const int32_t token : source.tokens) {
      if (token >= 0 && token < n_vocab) continue;
      throw Error(
          Code::invalid_argument,
          fmt::format("source {}: token {} is not in the vocabulary of {}", i, token, n_vocab));
    }
  }
}

void Sequences::check_have_sources(std::span<const Row> rows) const {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (source(rows[i].sequence) > 0) continue;
    throw Error(Code::failed_precondition,
                fmt::format("row {}: the source of sequence {} was not read", i, rows[i].sequence));
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

std::vector<Row> rows_of(std::span<const Source> sources) {
  std::vector<Row> rows;
  for (const Source& source : sources) {
    int32_t position = 0;
    for (const int32_t token : source.tokens) {
      rows.push_back({token, position++, source.sequence});
    }
  }
  return rows;
}

void Sequences::advance(std::span<const Row> rows) {
  for (const Row& row : rows) set_length(row.sequence, row.position + 1);
}

}  // namespace strata::inference
