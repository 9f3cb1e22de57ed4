#include "inference/constraint/inside_store.h"

#include <algorithm>

#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

constexpr size_t kMostText = 4096;  // bytes

template <typename T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

// False: it is too large.
bool write(const Expressions& x, ExprId id, std::string& out) {
  const Expr& e = x.at(id);
  if (out.size() > kMostText || !e.regular) return false;
  append(out, e.op);
  switch (e.op) {
    case Op::bytes:
      append(out, x.set(e).words);
      return true;
    case Op::multiple: {
      const Multiple& m = x.number(e);
      append(out, m.k);
      append(out, m.digits);
      append(out, m.rest);
      append(out, m.behind);
      return true;
    }
    case Op::sequence:
      return write(x, e.a, out) && write(x, e.b, out);
    case Op::none_of:
    case Op::block:
      return write(x, e.a, out);
    case Op::repeat:
      append(out, e.b);
      append(out, e.c);
      return write(x, e.a, out);
    case Op::any_of:
    case Op::all_of: {
      // In an order that is not of the grammar.
      std::vector<std::string> parts;
      for (const ExprId part : x.list(e)) {
        if (!write(x, part, parts.emplace_back())) return false;
      }
      std::ranges::sort(parts);
      append(out, e.b);
      for (const std::string& part : parts) out += part;
      return out.size() <= kMostText;
    }
    default:
      return true;
  }
}

}  // namespace

std::optional<std::string> text_of(const Expressions& x, ExprId id) {
  std::string text;
  if (!write(x, id, text)) return std::nullopt;
  return text;
}

std::shared_ptr<const Inside> InsideStore::find(const std::string& block) {
  const std::lock_guard lock(mutex_);
  const auto known = at_.find(block);
  if (known == at_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, known->second);
  return known->second->second;
}

void InsideStore::keep(const std::string& block, std::shared_ptr<const Inside> inside) {
  const std::lock_guard lock(mutex_);
  if (at_.contains(block)) return;
  const auto size_of = [](const Kept& kept) {
    return kept.first.size() + kept.second->size_bytes() + sizeof(Kept) + sizeof(Inside);
  };
  kept_.emplace_front(block, std::move(inside));
  at_.emplace(kept_.front().first, kept_.begin());
  kept_bytes_ += size_of(kept_.front());
  while (kept_bytes_ > kMaxSharedInsideBytes && kept_.size() > 1) {
    kept_bytes_ -= size_of(kept_.back());
    at_.erase(kept_.back().first);
    kept_.pop_back();
  }
}

}  // namespace strata::inference
