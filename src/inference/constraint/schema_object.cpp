#include "inference/constraint/schema_object.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "core/error.h"
#include "inference/constraint/limits.h"
#include "inference/constraint/object_text.h"
#include "inference/constraint/regex.h"

namespace strata::inference {
namespace {

constexpr ExprId kNothing = Expressions::kNothing;

class ObjectBuilder {
 public:
  ObjectBuilder(Expressions& x, JsonText& text, const SchemaDocument& document, const Shape& shape,
                const MemberMarks& marks, const SchemaValues& values)
      : x_(x), text_(text), document_(document), shape_(shape), marks_(marks), values_(values) {}

  ExprId build() {
    const auto object = std::make_shared<ObjectText>(x_, text_, marks_.close);
    if (!shape_.names.empty()) {
      if (marks_.bare_names) {
        document_.refuse(*shape_.origin, "propertyNames",
                         "propertyNames is not honoured where names stand without quotes");
      }
      names_ = values_.names_of(shape_.names);
    }
    object->in_order = text_.style().members == Members::as_listed;
    for (const std::string& name : all_names()) object->named.push_back(named(name));
    for (const auto& [name, others] : shape_.dependents) {
      for (const std::string& other : others) {
        object->named[index_of(*object, name)].asks_for.push_back(index_of(*object, other));
      }
    }
    object->settle();
    if (listed()) close(*object);
    object->open = open_member(*object);
    object->least = static_cast<size_t>(shape_.min_properties);
    if (shape_.max_properties >= 0) object->most = static_cast<size_t>(shape_.max_properties);
    size_t possible = object->open != kNothing ? 1 : 0;
    for (const auto& one : object->named) possible += one.member != kNothing ? 1 : 0;
    if (object->least > possible) {
      if (object->open == kNothing) return kNothing;
      document_.refuse(
          *shape_.origin, "minProperties",
          fmt::format("{} properties are asked for, of which only {} can be told apart",
                      object->least, possible),
          "name more of them under properties");
    }
    return x_.sequence(x_.block(x_.sequence(x_.text(marks_.open), text_.space())), object->begin());
  }

 private:
  // Whether the schema lists properties and says nothing of others: who wrote it so means these.
  bool listed() const {
    return text_.style().members == Members::as_listed && !shape_.open &&
           std::ranges::any_of(shape_.objects, &ObjectPart::lists) &&
           std::ranges::none_of(shape_.objects, &ObjectPart::additional);
  }

  // Other names do not come, unless those that do are too few.
  void close(ObjectText& object) {
    const std::set<std::string> meant = meant_names(object);
    const auto comes = [&](const ObjectText::Named& one) {
      return one.member != kNothing && meant.contains(one.name);
    };
    closed_ = std::ranges::count_if(object.named, comes) >= shape_.min_properties;
    if (!closed_) return;
    for (auto& one : object.named) {
      if (!comes(one)) one.member = kNothing;
    }
  }

  // Names that are listed, required or match a pattern, and those that these ask for; the others
  // are only asked whether they are there.
  std::set<std::string> meant_names(const ObjectText& object) {
    std::set<std::string> meant;
    for (const ObjectPart& part : shape_.objects) {
      if (!part.lists) continue;
      for (const auto& [name, _] : part.properties) meant.insert(name);
    }
    for (const auto& one : object.named) {
      const bool required = one.required && !shape_.supposed.contains(one.name);
      if (required || (!meant.contains(one.name) && has_pattern_of(one.name))) {
        meant.insert(one.name);
      }
    }
    for (size_t before = 0; before < meant.size();) {
      before = meant.size();
      x_.spend();
      for (const auto& [name, others] : shape_.dependents) {
        if (meant.contains(name)) meant.insert(others.begin(), others.end());
      }
    }
    return meant;
  }
  bool has_pattern_of(const std::string& name) {
    return std::ranges::any_of(shape_.objects, [&](const ObjectPart& part) {
      return std::ranges::any_of(part.patterns, [&](const auto& pattern) {
        return x_.matches(parse_regex(x_, pattern.first, {.whole = false}), name);
      });
    });
  }

  std::vector<std::string> all_names() const {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const ObjectPart& part : shape_.objects) {
      for (const auto& [name, _] : part.properties) add(name);
    }
    for (const std::string& name : shape_.required) add(name);
    for (const auto& [name, others] : shape_.dependents) {
      add(name);
      for (const std::string& other : others) add(other);
    }
    if (names.size() > kMaxProperties) {
      document_.refuse(
          *shape_.origin, "",
          fmt::format("an object has {} names, the limit is {}", names.size(), kMaxProperties));
    }
    return names;
  }

  static size_t index_of(const ObjectText& object, const std::string& name) {
    const auto at = std::find_if(object.named.begin(), object.named.end(),
                                 [&](const auto& one) { return one.name == name; });
    return static_cast<size_t>(at - object.named.begin());
  }

  ObjectText::Named named(const std::string& name) {
    ObjectText::Named one;
    one.name = name;
    one.required = shape_.required.contains(name);
    const ExprId key = text_.name(name, marks_.bare_names);
    if (names_ && x_.all_of({key, *names_}) == kNothing) return one;
    const ExprId value = values_.value_of(schemas_of_name(x_, shape_, name));
    one.member = x_.sequence({x_.block(key), marks_.colon, value});
    return one;
  }

  // Names that are not said one by one, by which patterns they match.
  ExprId open_member(const ObjectText& object) {
    std::vector<std::string> patterns;
    for (const ObjectPart& part : shape_.objects) {
      for (const auto& [pattern, _] : part.patterns) {
        if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) {
          patterns.push_back(pattern);
        }
      }
    }
    if (patterns.size() > kMaxPatternProperties) {
      document_.refuse(*shape_.origin, "patternProperties",
                       fmt::format("there are {} patterns of names, the limit is {}",
                                   patterns.size(), kMaxPatternProperties));
    }
    std::vector<ExprId> contents;
    for (const std::string& pattern : patterns) contents.push_back(pattern_of(pattern));
    std::vector<std::string> taken;
    for (const auto& one : object.named) taken.push_back(spell(one.name, spelling()));
    const ExprId others = x_.none_of(x_.texts(std::move(taken)));
    std::vector<ExprId> members;
    for (size_t chosen = closed_ ? 1 : 0; chosen < size_t{1} << patterns.size(); ++chosen) {
      const ExprId value = values_.value_of(schemas_for(patterns, chosen));
      if (value == kNothing) continue;
      const bool any = patterns.empty() && object.named.empty() && !names_;
      ExprId key = marks_.bare_names ? x_.block(text_.bare_name()) : text_.any_string();
      if (!any) {
        std::vector<ExprId> parts{marks_.bare_names ? text_.bare_name() : text_.plain_content(),
                                  others};
        for (size_t i = 0; i < patterns.size(); ++i) {
          parts.push_back((chosen >> i & 1) != 0 ? contents[i] : x_.none_of(contents[i]));
        }
        const ExprId content = x_.all_of(parts);
        key = marks_.bare_names ? content : text_.quoted(content);
        if (names_) key = x_.all_of({key, *names_});
        key = x_.block(key);
      }
      members.push_back(x_.sequence({key, marks_.colon, value}));
    }
    return x_.any_of(members);
  }

  Spelling spelling() const {
    return marks_.bare_names ? Spelling::plain : text_.style().spelling();
  }

  ExprId pattern_of(const std::string& pattern) {
    try {
      return parse_regex(x_, pattern, {.spelling = spelling(), .whole = false});
    } catch (const Error& error) {
      document_.refuse(*shape_.origin, "patternProperties", error.message(), error.hint());
    }
  }

  Schemas schemas_for(const std::vector<std::string>& patterns, size_t chosen) const {
    Schemas schemas;
    for (const ObjectPart& part : shape_.objects) {
      bool named = false;
      for (const auto& [pattern, schema] : part.patterns) {
        const auto at = std::find(patterns.begin(), patterns.end(), pattern) - patterns.begin();
        if ((chosen >> at & 1) == 0) continue;
        named = true;
        schemas.push_back(schema);
      }
      if (!named && part.additional != nullptr) schemas.push_back(part.additional);
    }
    std::sort(schemas.begin(), schemas.end());
    schemas.erase(std::unique(schemas.begin(), schemas.end()), schemas.end());
    return schemas;
  }

  Expressions& x_;
  JsonText& text_;
  const SchemaDocument& document_;
  const Shape& shape_;
  const MemberMarks marks_;
  const SchemaValues& values_;
  std::optional<ExprId> names_;  // of propertyNames
  bool closed_ = false;          // other names are those of patterns only
};

}  // namespace

ExprId object_text(Expressions& x, JsonText& text, const SchemaDocument& document,
                   const Shape& shape, const MemberMarks& marks, const SchemaValues& values) {
  return ObjectBuilder(x, text, document, shape, marks, values).build();
}

ExprId different_items(Expressions& x, JsonText& text, const std::vector<ExprId>& items,
                       size_t least, size_t most) {
  if (least > std::min(items.size(), most)) return kNothing;
  const auto array = std::make_shared<ObjectText>(x, text, "]");
  for (const ExprId item : items) {
    array->named.emplace_back();
    array->named.back().member = item;
  }
  array->least = least;
  array->most = most;
  return x.sequence(x.block(x.sequence(x.text("["), text.space())), array->begin());
}

}  // namespace strata::inference
