// Where each tensor of a folder lies in the file: the rules of a family the other way round.
#include <algorithm>
#include <utility>

#include "core/error.h"
#include "models/family/change.h"
#include "models/family/inverse_translation.h"

namespace strata::models {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(Code::unimplemented, why);
}

bool is_in_turn(Change change) {
  return change == Change::even_columns || change == Change::odd_columns ||
         change == Change::transposed_even || change == Change::transposed_odd;
}

bool is_first(Change change) {
  return change == Change::first_half || change == Change::even_columns ||
         change == Change::transposed_even || change == Change::transposed_first_half;
}

std::vector<uint64_t> slowest_first(const TensorInfo& tensor) {
  std::vector<uint64_t> shape(tensor.shape.begin(), tensor.shape.begin() + tensor.n_dims);
  std::ranges::reverse(shape);
  return shape;
}

}  // namespace

void InverseTranslation::set_usual_prefix(std::string_view prefix, std::string_view /*tensor*/) {
  set_prefix(std::string(prefix));
}

void InverseTranslation::set_prefix_under_head(std::string_view prefix,
                                               std::string_view /*tensor*/) {
  set_prefix(spec_.scores ? std::string(prefix) : "");
}

void InverseTranslation::tensors(std::span<const TensorRule> rules) {
  for (const TensorRule& rule : rules) {
    const bool layered = rule.ours.find("{}") != std::string_view::npos;
    for (int32_t layer = 0; layer < (layered ? n_layers() : 1); ++layer) {
      const std::string ours = filled(rule.ours, "{}", layer);
      const std::string theirs = stored_name(rule.theirs, layer);
      if (names_a_kind(rule.ours) || names_a_kind(rule.theirs)) {
        add(ours, theirs, rule.change);
        continue;
      }
      for (const char* kind : {".weight", ".bias"}) add(ours + kind, theirs + kind, rule.change);
    }
  }
}

void InverseTranslation::add(const std::string& ours, const std::string& theirs, Change change) {
  const TensorInfo* source = source_.find_tensor(ours);
  if (source == nullptr || used_.contains(source->name)) return;
  if (is_part(change)) {
    Halves& halves = halves_[theirs];
    (is_first(change) ? halves.first : halves.second) = source;
    if (is_first(change)) halves.change = change;
    used_.insert(source->name);
    return;
  }
  if (names_.contains(filled(theirs, "{e}", 0))) return;  // of several for one the first
  used_.insert(source->name);
  add_parts(*source, theirs, change);
}

// With {e} each matrix of a stack, or each row of vectors of heads, is a tensor of its own. A
// vector whose numbers change places has one a row.
void InverseTranslation::add_parts(const TensorInfo& source, const std::string& theirs,
                                   Change change) {
  std::vector<uint64_t> shape = slowest_first(source);
  const bool each = theirs.find("{e}") != std::string::npos;
  const uint64_t n = each && shape.size() > 1 ? shape[0] : 1;
  if (each && shape.size() > 1) shape.erase(shape.begin());
  const bool is_transposed = change == Change::transposed && shape.size() > 1;
  if (is_transposed) std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  const bool by_number =
      shape.size() == 1 && (change == Change::pairs || change == Change::grouped_qkv);
  const uint64_t n_matrices = each ? 1 : source.shape[2];
  uint64_t rows = each && source.n_dims == 2 ? 1 : source.shape[1], cols = source.cols();
  if (by_number) std::swap(rows, cols);
  for (uint64_t e = 0; e < n; ++e) {
    HfTensor tensor{filled(theirs, "{e}", static_cast<int32_t>(e)),
                    shape,
                    change == Change::transposed ? Change::none : change,
                    {}};
    for (uint64_t m = 0; m < n_matrices; ++m) {
      tensor.blocks.push_back({{{&source, e + m, rows, cols}}, false, is_transposed});
    }
    names_.insert(tensor.name);
    tensors_.push_back(std::move(tensor));
  }
}

// Numbers of vectors that take turns have one a row, as rows of matrices do.
void InverseTranslation::join_halves() {
  for (const auto& [name, halves] : halves_) {
    const TensorInfo* first = halves.first;
    const TensorInfo* second = halves.second;
    if (first == nullptr || second == nullptr || first->shape != second->shape) {
      refuse(fmt::format("the halves of '{}' are not both there, or differ", name));
    }
    HfTensor tensor{name, slowest_first(*first), Change::none, {}};
    const bool by_columns = is_in_turn(halves.change) && !is_transposed(halves.change);
    const bool turns = is_transposed(halves.change) && tensor.shape.size() > 1;
    const size_t n_dims = tensor.shape.size();
    tensor.shape[n_dims == 1 || by_columns ? n_dims - 1 : n_dims - 2] *= 2;
    if (turns) std::swap(tensor.shape[n_dims - 1], tensor.shape[n_dims - 2]);
    uint64_t n_matrices = first->shape[2], rows = first->shape[1], cols = first->cols();
    if (by_columns) {
      n_matrices *= rows;
      rows = std::exchange(cols, 1);
    }
    for (uint64_t m = 0; m < n_matrices; ++m) {
      tensor.blocks.push_back(
          {{{first, m, rows, cols}, {second, m, rows, cols}}, is_in_turn(halves.change), turns});
    }
    tensors_.push_back(std::move(tensor));
  }
}

void InverseTranslation::reshaped(const std::string& ours, const std::string& theirs,
                                  const std::vector<uint64_t>& /*shape*/,
                                  const std::vector<uint64_t>& stored, Change change) {
  const TensorInfo* source = source_.find_tensor(ours);
  if (source == nullptr) return;
  used_.insert(source->name);
  names_.insert(theirs);
  tensors_.push_back({theirs, stored, change, {{{{source, 0, source->rows(), source->cols()}}}}});
}

void InverseTranslation::heads(const std::string& ours, const std::string& theirs,
                               const HeadRows& rows, Change change) {
  const TensorInfo* source = source_.find_tensor(ours);
  if (source == nullptr) return;
  used_.insert(source->name);
  heads_[theirs].push_back({source, rows, change == Change::transposed});
}

void InverseTranslation::join_heads() {
  for (auto& [name, stacks] : heads_) {
    std::ranges::sort(stacks, {}, [](const HeadStack& stack) { return stack.rows.begin; });
    const HeadRows& head = stacks[0].rows;
    const auto n_heads = static_cast<uint64_t>(head.n_heads);
    HfTensor tensor{name, {n_heads * static_cast<uint64_t>(head.per_head), 0}, Change::none, {}};
    int32_t next = 0;
    for (const auto& [source, rows, transposed] : stacks) {
      const uint64_t n = source->shape[transposed ? 0 : 1];
      tensor.shape[1] = source->shape[transposed ? 1 : 0];
      const bool follows = rows.begin == next && n == static_cast<uint64_t>(rows.n);
      if (!follows || source->shape[2] != n_heads) {
        refuse(fmt::format("'{}' is not {} of the rows of each of {} heads of '{}'", source->name,
                           rows.n, n_heads, name));
      }
      next += rows.n;
    }
    if (next != head.per_head) refuse(fmt::format("'{}' would lack rows", name));
    for (uint64_t h = 0; h < n_heads; ++h) {
      for (const auto& [source, rows, transposed] : stacks) {
        tensor.blocks.push_back(
            {{{source, h, source->shape[1], source->cols()}}, false, transposed});
      }
    }
    tensors_.push_back(std::move(tensor));
  }
}

}  // namespace strata::models
