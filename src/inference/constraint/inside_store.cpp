#include "inference/constraint/inside_store.h"

#include <algorithm>

#include "inference/constraint/limits.h"

namespace strata::inference {
namespace {

constexpr size_t kMostText = 4096;   // bytes
constexpr size_t kUsualText = 1024;  // are not more

template <typename T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

}  // namespace

// False: it is too large.
bool BlockTexts::write(ExprId id, std::string& out) {
  const Expr& e = x_.at(id);
  if (out.size() > kMostText || !e.regular) return false;
  append(out, e.op);
  switch (e.op) {
    case Op::bytes:
      append(out, x_.set(e).words);
      return true;
    case Op::multiple: {
      const Multiple& m = x_.number(e);
      append(out, m.k);
      append(out, m.digits);
      append(out, m.rest);
      append(out, m.behind);
      return true;
    }
    case Op::sequence:
      return write(e.a, out) && write(e.b, out);
    case Op::none_of:
    case Op::block:
      return write(e.a, out);
    case Op::repeat:
      append(out, e.b);
      append(out, e.c);
      return write(e.a, out);
    case Op::any_of:
    case Op::all_of:
      return write_list(id, out);
    default:
      return true;
  }
}

// In an order that is not of the grammar.
bool BlockTexts::write_list(ExprId id, std::string& out) {
  auto known = lists_.find(id);
  if (known == lists_.end()) {
    std::vector<std::string> parts;
    for (const ExprId part : x_.list(x_.at(id))) {
      if (!write(part, parts.emplace_back())) return false;
    }
    std::ranges::sort(parts);
    std::string text;
    append(text, x_.at(id).b);
    for (const std::string& part : parts) text += part;
    if (text.size() > kMostText) return false;
    size_bytes_ += text.size() + sizeof(text);
    known = lists_.emplace(id, std::move(text)).first;
  }
  out += known->second;
  return out.size() <= kMostText;
}

std::optional<std::string> BlockTexts::of(ExprId block) {
  std::string text;
  text.reserve(kUsualText);
  if (!write(block, text)) return std::nullopt;
  return text;
}

// No block's text begins so.
std::string BlockTexts::of_json(ExprId rule, int32_t node) const {
  std::string text;
  append(text, Op::rule);
  append(text, std::ranges::find(x_.json_rules, rule) - x_.json_rules.begin());
  append(text, node);
  return text;
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
