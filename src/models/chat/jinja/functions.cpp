// The functions that every template may call, and the methods of loops, cyclers, lists, dicts.
#include <array>
#include <ctime>

#include "core/error.h"
#include "models/chat/jinja/builtins.h"
#include "models/chat/jinja/interpreter.h"
#include "models/chat/jinja/operations.h"
#include "models/chat/jinja/printing.h"
#include "models/chat/jinja/running.h"

namespace strata::models::jinja {
namespace {

Value range(Interpreter& in, const Value&, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "range", args, {"start", "stop", "step"}, 1);
  auto made = std::make_shared<Range>();
  made->start = bound.has(1) ? bound.integer(0, 0) : Integer{0};
  made->stop = bound.has(1) ? bound.integer(1, 0) : bound.integer(0, 0);
  made->step = bound.integer(2, 1);
  if (made->step == 0) meter.fail("range() step must not be zero");
  Integer distance = 0;
  const bool forward = made->step > 0;
  const bool overflow = forward ? __builtin_sub_overflow(made->stop, made->start, &distance)
                                : __builtin_sub_overflow(made->start, made->stop, &distance);
  const auto limit = static_cast<Integer>(meter.limits().max_range_items);
  Integer count = 0;
  if (overflow) {
    count = limit + 1;
  } else if (distance > 0) {
    const Integer rest = distance - 1;
    count = (forward ? rest / made->step : -(rest / made->step)) + 1;
  }
  if (count > limit)
    meter.exhausted(fmt::format("range() of {} items, the limit is {}", count, limit));
  made->count = static_cast<size_t>(count);
  return Value(ObjectPtr(std::move(made)));
}

// dict(mapping or pairs, name=value, …)
std::shared_ptr<Dict> build_dict(Interpreter& in, std::string_view function, const Args& args) {
  auto& meter = in.meter();
  Args positional{args.positional, {}};
  const Bound bound(meter, function, positional, {"mapping"});
  bool outside = false;
  if (bound.has(0)) outside = bound[0].is_dict() && bound[0].dict()->outside;
  auto dict = std::make_shared<Dict>(meter, outside);
  if (bound.has(0) && bound[0].is_dict()) {
    for (const auto& [key, value] : bound[0].dict()->items()) dict->put(key, value);
  } else if (bound.has(0)) {
    const auto pairs = iterate(meter, bound[0]);
    for (const auto& pair : pairs->items) {
      const auto parts = iterate(meter, pair);
      if (parts->items.size() != 2) meter.fail("dict() needs pairs");
      dict->put(parts->items[0], parts->items[1]);
    }
  }
  for (const auto& [name, value] : args.named) dict->put(text_value(meter, name), value);
  meter.step(dict->size());
  return dict;
}

Value make_dict(Interpreter& in, const Value&, Args& args) {
  return Value(DictPtr(build_dict(in, "dict", args)));
}

Value make_namespace(Interpreter& in, const Value&, Args& args) {
  auto space = std::make_shared<Namespace>();
  in.retain(space);
  const auto names = build_dict(in, "namespace", args);
  for (const auto& [key, value] : names->items()) {
    if (!key.is_text()) in.meter().fail("names of a namespace must be strings");
    set_namespace_attribute(in.meter(), *space, std::string(key.view()), value);
  }
  return Value(ObjectPtr(std::move(space)));
}

Value make_cycler(Interpreter& in, const Value&, Args& args) {
  if (args.positional.empty()) in.meter().fail("at least one item has to be provided");
  const auto list = make_list(in.meter(), args.positional).list();
  return Value(ObjectPtr(std::make_shared<Cycler>(list)));
}

Value make_joiner(Interpreter& in, const Value&, Args& args) {
  const Bound bound(in.meter(), "joiner", args, {"sep"});
  Value separator = bound.value(0, Value());
  if (!bound.has(0)) separator = text_value(in.meter(), ", ");
  return Value(ObjectPtr(std::make_shared<Joiner>(separator)));
}

Value raise_exception(Interpreter& in, const Value&, Args& args) {
  const Bound bound(in.meter(), "raise_exception", args, {"message"}, 1);
  const auto message = to_text(in.meter(), bound[0]);
  throw Error(Code::invalid_argument,
              located(in.meter().position(),
                      fmt::format("the template refuses this conversation: {}", message->view())),
              "the model's template sets this rule; change the messages, or use another template");
}

Value strftime_now(Interpreter& in, const Value&, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "strftime_now", args, {"format"}, 1);
  const std::string format(bound.text(0)->view());
  const auto seconds = static_cast<std::time_t>(in.now_s());
  std::tm when{};
  if (localtime_r(&seconds, &when) == nullptr) meter.fail("the time is out of range");
  if (format.find('\0') != std::string::npos) meter.fail("embedded null character");
  if (format.size() > 4096) meter.exhausted("strftime_now() with more than 4096 characters");
  meter.step_mapped(format.size() * 32);             // what the text below takes to be made
  std::string text(format.size() * 32 + 256, '\0');  // most specifiers give under 32 characters
  const size_t size = std::strftime(text.data(), text.size(), (format + "|").c_str(), &when);
  if (size == 0) meter.fail("strftime_now(): the result is too long");
  return text_value(meter, std::string_view(text).substr(0, size - 1), bound.text(0)->outside());
}

constexpr auto kFunctions = std::to_array<Builtin>({
    {"range", range},
    {"dict", make_dict},
    {"namespace", make_namespace},
    {"cycler", make_cycler},
    {"joiner", make_joiner},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
});

Value loop_cycle(Interpreter& in, const Value& self, Args& args) {
  if (args.positional.empty() || !args.named.empty()) in.meter().fail("no items for cycling given");
  return args.positional[self.as<Loop>()->index0 % args.positional.size()];
}

Value loop_changed(Interpreter& in, const Value& self, Args& args) {
  auto* loop = self.as<Loop>();
  Value now = make_tuple(in.meter(), args.positional);
  if (!loop->changed_called) in.retain(self.object());
  const bool changed = !loop->changed_called || !equals(in.meter(), loop->last_changed, now);
  loop->changed_called = true;
  loop->last_changed = std::move(now);
  return Value(changed);
}

constexpr auto kLoopMethods = std::to_array<Builtin>({
    {"cycle", loop_cycle},
    {"changed", loop_changed},
});

Value cycler_next(Interpreter&, const Value& self, Args&) {
  auto* cycler = self.as<Cycler>();
  const size_t at = cycler->position;
  cycler->position = (at + 1) % cycler->items->items.size();
  return cycler->items->items[at];
}

Value cycler_reset(Interpreter&, const Value& self, Args&) {
  self.as<Cycler>()->position = 0;
  return Value(None{});
}

constexpr auto kCyclerMethods = std::to_array<Builtin>({
    {"next", cycler_next},
    {"reset", cycler_reset},
});

Value list_index(Interpreter& in, const Value& self, Args& args) {
  auto& meter = in.meter();
  const Bound bound(meter, "index", args, {"value"}, 1);
  const auto items = iterate(meter, self);
  for (size_t i = 0; i < items->items.size(); ++i) {
    if (equals(meter, items->items[i], bound[0])) return int_value(i);
  }
  meter.fail("the value is not in the list");
}

Value list_count(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "count", args, {"value"}, 1);
  size_t n = 0;
  const auto items = iterate(in.meter(), self);
  for (const auto& item : items->items) {
    n += equals(in.meter(), item, bound[0]) ? 1 : 0;
  }
  return int_value(n);
}

Value list_copy(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "copy", args, {});
  return self;  // lists never change
}

constexpr auto kListMethods = std::to_array<Builtin>({
    {"index", list_index},
    {"count", list_count},
    {"copy", list_copy},
});

Value view_of(Interpreter& in, const Value& self, Args& args, std::string_view name) {
  auto& meter = in.meter();
  const Bound bound(meter, name, args, {});
  const auto& dict = *self.dict();
  Values parts;
  parts.reserve(dict.size());
  for (const auto& [key, value] : dict.items()) {
    meter.step();
    if (name == "dict_keys") {
      parts.push_back(key);
    } else if (name == "dict_values") {
      parts.push_back(value);
    } else {
      parts.push_back(make_list(meter, {key, value}, true, dict.outside));
    }
  }
  const auto list = make_list(meter, std::move(parts), false, dict.outside).list();
  return Value(ObjectPtr(std::make_shared<View>(name, list)));
}

Value dict_keys(Interpreter& in, const Value& self, Args& args) {
  return view_of(in, self, args, "dict_keys");
}

Value dict_values(Interpreter& in, const Value& self, Args& args) {
  return view_of(in, self, args, "dict_values");
}

Value dict_items(Interpreter& in, const Value& self, Args& args) {
  return view_of(in, self, args, "dict_items");
}

Value dict_get(Interpreter& in, const Value& self, Args& args) {
  const Bound bound(in.meter(), "get", args, {"key", "default"}, 1);
  if (!args.named.empty()) in.meter().fail("get() takes no keyword arguments");
  in.meter().step(1 + self.dict()->size() / 64);
  if (const auto* value = self.dict()->find(bound[0])) return *value;
  return bound.value(1, Value(None{}));
}

constexpr auto kDictMethods = std::to_array<Builtin>({
    {"keys", dict_keys},
    {"values", dict_values},
    {"items", dict_items},
    {"get", dict_get},
    {"copy", list_copy},
});

Value float_is_integer(Interpreter&, const Value& self, Args&) {
  const double value = self.floating();
  return Value(value == static_cast<double>(
                            static_cast<int64_t>(value > -9e18 && value < 9e18 ? value : 0)) ||
               value >= 9e18 || value <= -9e18);
}

constexpr auto kFloatMethods = std::to_array<Builtin>({{"is_integer", float_is_integer}});

}  // namespace

Builtins global_functions() {
  return kFunctions;
}
Builtins loop_methods() {
  return kLoopMethods;
}
Builtins cycler_methods() {
  return kCyclerMethods;
}
Builtins list_methods() {
  return kListMethods;
}
Builtins dict_methods() {
  return kDictMethods;
}
Builtins float_methods() {
  return kFloatMethods;
}

}  // namespace strata::models::jinja
