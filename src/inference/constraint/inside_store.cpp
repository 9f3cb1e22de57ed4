#include "inference/constraint/inside_store.h"

#include <algorithm>

#include "inference/constraint/limits.h"

namespace strata::inference {

// False: it is too large.
bool BlockTexts::write(ExprId id, BlockText& out) {
  const Expr& e = x_.at(id);
  if (!e.regular || !out.add(e.op)) return false;
  switch (e.op) {
    case Op::bytes:
      return out.add(x_.set(e).words);
    case Op::multiple: {
      const Multiple& m = x_.number(e);
      return out.add(m.k) && out.add(m.digits) && out.add(m.rest) && out.add(m.behind);
    }
    case Op::sequence:
      return write(e.a, out) && write(e.b, out);
    case Op::none_of:
    case Op::block:
      return write(e.a, out);
    case Op::repeat:
      return out.add(e.b) && out.add(e.c) && write(e.a, out);
    case Op::any_of:
    case Op::all_of:
      return write_list(id, out);
    default:
      return true;
  }
}

// In an order that is not of the grammar.
bool BlockTexts::write_list(ExprId id, BlockText& out) {
  const auto known = lists_.find(id);
  if (known != lists_.end()) return out.add(std::string_view(known->second));
  const Expr e = x_.at(id);
  const size_t begin = out.size();
  if (!out.add(e.b)) return false;
  std::vector<std::string_view> parts;
  parts.reserve(static_cast<size_t>(e.b));
  std::string text(out.behind(begin));
  for (const ExprId part : x_.list(e)) {
    const size_t here = out.size();
    if (!write(part, out)) return false;
    parts.push_back(out.behind(here));
  }
  std::ranges::sort(parts);
  text.reserve(out.size() - begin);
  for (const std::string_view part : parts) text += part;
  out.cut(begin);
  size_bytes_ += text.size() + sizeof(text);
  return out.add(std::string_view(lists_.emplace(id, std::move(text)).first->second));
}

std::optional<std::string> BlockTexts::of(ExprId block) {
  BlockText text;
  if (!write(block, text)) return std::nullopt;
  return std::string(text.behind(0));
}

// No block's text begins so.
std::string BlockTexts::of_json(ExprId rule, int32_t node) const {
  BlockText text;
  text.add(Op::rule);
  text.add(std::ranges::find(x_.json_rules, rule) - x_.json_rules.begin());
  text.add(node);
  return std::string(text.behind(0));
}

void BlockTexts::clear() {
  lists_.clear();
  size_bytes_ = 0;
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
  const auto size_of = [](const Kept& kept) {
    return kept.first.size() + kept.second->size_bytes() + sizeof(Kept) + sizeof(Inside);
  };
  kept_.emplace_front(block, std::move(inside));
  if (!at_.emplace(kept_.front().first, kept_.begin()).second) return kept_.pop_front();
  kept_bytes_ += size_of(kept_.front());
  while (kept_bytes_ > kMaxSharedInsideBytes && kept_.size() > 1) {
    kept_bytes_ -= size_of(kept_.back());
    at_.erase(kept_.back().first);
    kept_.pop_back();
  }
}

}  // namespace strata::inference
