#include "inference/constraint/schema_array.h"

#include <algorithm>

#include "core/error.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/schema_object.h"

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;
constexpr ExprId kEmpty = Expressions::kEmpty;

class ArrayBuilder {
 public:
  ArrayBuilder(Expressions& x, JsonText& text, const SchemaDocument& document, const Shape& shape,
               const ItemValues& values)
      : x_(x), text_(text), document_(document), shape_(shape), values_(values) {
    least_ = static_cast<size_t>(shape.min_items);
    if (shape.max_items >= 0) most_ = static_cast<size_t>(shape.max_items);
    for (const ArrayPart& part : shape.arrays) n_prefix_ = std::max(n_prefix_, part.prefix.size());
    for (const Contains& part : shape.contains) {
      if (part.least > 0 || part.most >= 0) contains_.push_back(part);
    }
  }

  ExprId build() {
    if (shape_.unique && most_ > 1) return unique();
    const ExprId items = contains_.empty() ? all_alike() : counted();
    return x_.sequence({x_.block(x_.sequence(x_.text("["), text_.space())), items,
                        x_.block(x_.sequence(text_.space(), x_.text("]")))});
  }

 private:
  // Item i, which fits another schema as well, with what is in front of it.
  ExprId item(size_t i, Schema other = nullptr) {
    Schemas schemas = schemas_of_item(shape_, i);
    if (other != nullptr) {
      schemas.push_back(other);
      std::ranges::sort(schemas);
      schemas.erase(std::unique(schemas.begin(), schemas.end()), schemas.end());
    }
    return x_.sequence(i > 0 ? text_.comma() : kEmpty, values_.value_of(std::move(schemas)));
  }

  // From the last of the items that are said one by one to the first.
  ExprId all_alike() {
    const size_t single = std::min(std::max<size_t>(n_prefix_, 1), most_);
    ExprId rest = kEmpty;
    if (single < most_) {
      const auto more = static_cast<int32_t>(least_ > single ? least_ - single : 0);
      const int32_t end = most_ == SIZE_MAX ? -1 : static_cast<int32_t>(most_ - single);
      rest = x_.repeat(item(single), more, end);
    }
    for (size_t i = single; i-- > 0;) {
      const ExprId here = x_.sequence(item(i), rest);
      rest = i < least_ ? here : x_.optional(here);
    }
    return rest;
  }

  // Items of which some are counted: behind i of them, n of which were, stands rest[n].
  ExprId counted() {
    constexpr int64_t kMostCounted = 64;
    constexpr size_t kMostItems = 256;
    const Contains& what = contains_[0];
    const size_t single = most_ != SIZE_MAX ? most_ : std::max({n_prefix_, least_, size_t{1}});
    if (contains_.size() > 1) refuse("only one contains is honoured for an array");
    if (std::max(what.least, what.most) > kMostCounted || single > kMostItems) {
      refuse(fmt::format("{} items of {} are counted, the limits are {} and {}",
                         std::max(what.least, what.most), single, kMostCounted, kMostItems));
    }
    const auto least = static_cast<size_t>(what.least);
    const size_t most = what.most >= 0 ? static_cast<size_t>(what.most) : least;
    if (what.most >= 0 && most < least) return kNothing;
    std::vector<ExprId> rest(most + 1, kNothing);
    for (size_t n = most + 1; n-- > 0;) {
      const ExprId end = n >= least ? kEmpty : kNothing;
      if (single == most_) {
        rest[n] = end;
        continue;
      }
      const ExprId one = n < most ? x_.sequence(item(single, what.schema), rest[n + 1]) : kNothing;
      rest[n] = x_.sequence(x_.repeat(item(single, what.others), 0, -1), x_.any_of({end, one}));
    }
    for (size_t i = single; i-- > 0;) {
      for (size_t n = 0; n <= most; ++n) {
        const ExprId end = i >= least_ && n >= least ? kEmpty : kNothing;
        const ExprId one = n < most ? x_.sequence(item(i, what.schema), rest[n + 1]) : kNothing;
        rest[n] = x_.any_of({end, one, x_.sequence(item(i, what.others), rest[n])});
      }
    }
    return rest[0];
  }

  ExprId unique() {
    const auto items = n_prefix_ > 0 || !contains_.empty()
                           ? std::nullopt
                           : values_.given_in(schemas_of_item(shape_, 0));
    if (!items || items->size() > kMaxProperties) {
      document_.refuse(*shape_.origin, "uniqueItems",
                       "items that differ are honoured where their values are given by an enum",
                       "leave out uniqueItems, or set maxItems to 1");
    }
    return different_items(x_, text_, *items, least_, most_);
  }

  [[noreturn]] void refuse(const std::string& what) const {
    document_.refuse(*shape_.origin, "contains", what);
  }

  Expressions& x_;
  JsonText& text_;
  const SchemaDocument& document_;
  const Shape& shape_;
  const ItemValues& values_;
  size_t least_ = 0, most_ = SIZE_MAX;
  size_t n_prefix_ = 0;
  std::vector<Contains> contains_;
};

}  // namespace

ExprId array_text(Expressions& x, JsonText& text, const SchemaDocument& document,
                  const Shape& shape, const ItemValues& values) {
  return ArrayBuilder(x, text, document, shape, values).build();
}

}  // namespace strata::inference
