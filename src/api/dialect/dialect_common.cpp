#include "api/dialect/dialect_common.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>

#include "api/access/access.h"
#include "api/json_duplicates.h"
#include "api/limits.h"
#include "core/check.h"
#include "core/duration.h"
#include "core/random.h"
#include "core/utf8.h"
#include "models/hub/known_names.h"
#include "models/parameters.h"

namespace strata::api {
namespace {

constexpr int32_t kMaxInt = 1 << 30;

[[noreturn]] void refuse(Fields& fields, std::string_view key, const std::string& value,
                         const models::ParameterRule& rule) {
  fields.fail(key, fmt::format("is {}, it must be {}", value, rule.wanted));
}

std::optional<int64_t> read_integer(Fields& fields, std::string_view key, std::string_view name) {
  const models::ParameterRule& rule = models::parameter_rule(name);
  const auto value = fields.integer(key, INT64_MIN, INT64_MAX);
  if (value && !models::in_range(rule, *value)) refuse(fields, key, std::to_string(*value), rule);
  return value;
}

void read(Fields& fields, std::string_view key, std::optional<int32_t>& target) {
  if (const auto value = read_parameter_integer(fields, key, key)) target = value;
}

void read(Fields& fields, std::string_view key, std::optional<float>& target) {
  if (const auto value = read_parameter_number(fields, key, key)) target = value;
}

}  // namespace

std::optional<int32_t> read_parameter_integer(Fields& fields, std::string_view key,
                                              std::string_view name) {
  const auto value = read_integer(fields, key, name);
  if (!value) return std::nullopt;
  CHECK(*value >= INT32_MIN && *value <= INT32_MAX);  // those of 64 bits are read by read_integer
  return static_cast<int32_t>(*value);
}

std::optional<float> read_parameter_number(Fields& fields, std::string_view key,
                                           std::string_view name) {
  const models::ParameterRule& rule = models::parameter_rule(name);
  constexpr double kAny = std::numeric_limits<double>::infinity();
  const auto value = fields.number(key, -kAny, kAny);
  if (!value) return std::nullopt;
  if (!models::in_range(rule, *value)) refuse(fields, key, fmt::format("{}", *value), rule);
  return static_cast<float>(*value);
}

void read_common_sampling(Fields& fields, SamplingOptions& options) {
  read(fields, "top_p", options.top_p);
  if (const auto seed = read_integer(fields, "seed", "seed")) {
    options.seed = static_cast<uint64_t>(*seed);  // -1 is kFreshSeed
  }
  read(fields, "top_k", options.top_k);
  if (options.top_k && *options.top_k < 0) options.top_k = 0;  // vLLM's word for "all"
  read(fields, "min_p", options.min_p);
  read(fields, "typical_p", options.typical_p);
  read(fields, "top_n_sigma", options.top_n_sigma);
  read(fields, "repeat_penalty", options.repeat_penalty);
  read(fields, "repeat_last_n", options.repeat_last_n);
  read(fields, "xtc_probability", options.xtc_probability);
  read(fields, "xtc_threshold", options.xtc_threshold);
  read(fields, "dry_multiplier", options.dry_multiplier);
  read(fields, "dry_base", options.dry_base);
  read(fields, "dry_allowed_length", options.dry_allowed_length);
  read(fields, "dry_penalty_last_n", options.dry_penalty_last_n);
  if (auto breakers = fields.texts("dry_sequence_breakers", models::kMaxBreakerTexts,
                                   models::kMaxBreakerTextBytes)) {
    options.dry_sequence_breakers = std::move(*breakers);
  }
  if (fields.integer("mirostat", INT64_MIN, INT64_MAX) == 1) {
    fields.fail("mirostat", "is 1, which is not built; 0 is off and 2 is version 2",
                "use mirostat 2");
  }
  read(fields, "mirostat", options.mirostat);
  read(fields, "mirostat_tau", options.mirostat_tau);
  read(fields, "mirostat_eta", options.mirostat_eta);
}

void read_stop(Fields& fields, SamplingOptions& options, size_t max_count, size_t max_bytes) {
  auto stop = fields.texts("stop", max_count, max_bytes);
  if (!stop) return;
  std::erase_if(*stop, [](const std::string& each) { return each.empty(); });
  options.stop = std::move(*stop);
}

std::vector<models::ToolCall> read_tool_calls(Fields& message,
                                              std::string (*arguments_of)(Fields& function)) {
  std::vector<models::ToolCall> calls;
  for (const json::value& item : message.array("tool_calls", kMaxToolCalls)) {
    Fields call(item, message.path("tool_calls[]"));
    models::ToolCall& read = calls.emplace_back();
    read.id = call.text("id").value_or("");
    call.text("type");
    auto function = call.object("function");
    if (!function) call.fail("function", "is missing");
    read.name = function->required_text("name");
    read.arguments = arguments_of(*function);
    // Its place in the list, which pieces of a stream carry here or there: the list says it too.
    for (Fields* part : {&call, &*function}) {
      part->integer("index", 0, kMaxInt);
      part->refuse_unread();
    }
  }
  return calls;
}

std::vector<int32_t> read_ids(const json::array& items, const Fields& fields,
                              std::string_view key) {
  std::vector<int32_t> ids;
  for (const json::value& item : items) {
    if (!item.is_int64() || item.get_int64() < 0 || item.get_int64() > INT32_MAX) {
      fields.fail(key, "has an entry that is no token id");
    }
    ids.push_back(static_cast<int32_t>(item.get_int64()));
  }
  return ids;
}

std::optional<int64_t> read_keep_alive(Fields& fields) {
  const json::value* value = fields.get("keep_alive");
  if (!value || *value == "") return std::nullopt;
  if (value->is_number()) {
    const double seconds = value->to_number<double>();
    if (!std::isfinite(seconds)) fields.fail("keep_alive", "must be a finite number");
    return seconds < 0 || seconds > 1e12 ? -1 : static_cast<int64_t>(seconds * 1000);
  }
  if (!value->is_string()) {
    fields.fail("keep_alive", "must be seconds or a time such as \"5m\"");
  }
  return parse_duration_ms(std::string_view(value->get_string()));
}

std::string read_model_name(Fields& fields, std::string_view key) {
  std::string name = fields.required_text(key);
  if (name.size() > kMaxModelNameBytes) {
    fields.fail(key, fmt::format("has {} bytes, the limit is {}", name.size(), kMaxModelNameBytes));
  }
  const bool clean = std::ranges::none_of(
      name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!clean || !is_valid_utf8(name)) fields.fail(key, "has a control character in it");
  return name;
}

// Whoever waits for his answer goes before: the lowest that a request may say of itself.
constexpr int32_t kBatchPriority = 100;

namespace {

uint64_t random_scope() {
  uint64_t scope = 0;
  for (const unsigned char byte : random_bytes(sizeof scope)) scope = scope << 8 | byte;
  return scope;
}

}  // namespace

void name_caller(ChatRequest& request, const Request& http) {
  // In a scope of its own a request finds nothing, and is found by none.
  request.cache_scope =
      request.computes_anew ? random_scope() : caller_scope(http.owner, http.headers);
  if (http.is_batch) request.priority = std::max(request.priority, kBatchPriority);
  request.caller = http.owner;
  const auto policy = http.headers.find(kContextPolicyHeader);
  if (policy && !request.context_policy) request.context_policy = parse_context_policy(*policy);
}

std::optional<ContextPolicy> read_context_policy(Fields& fields, std::string_view key) {
  const auto text = fields.text(key);
  if (!text) return std::nullopt;
  try {
    return parse_context_policy(*text);
  } catch (const Error& error) {
    fields.fail(key, "must be error, truncate or summarise");
  }
}

const ModelCard& find_card(const std::vector<ModelCard>& cards, std::string_view name) {
  const auto bare = [](std::string_view text) {
    if (text.ends_with(":latest")) text.remove_suffix(7);
    return text;
  };
  const auto card_of = [&](std::string_view wanted) {
    return std::ranges::find_if(
        cards, [&](const ModelCard& card) { return bare(card.name) == bare(wanted); });
  };
  const auto names = [&] {
    std::vector<std::string> all;
    for (const ModelCard& each : cards) all.push_back(each.name);
    return all;
  };
  const auto card = card_of(models::resolve_name(
      name, {[&](std::string_view each) { return card_of(each) != cards.end(); }, names}));
  if (card == cards.end()) throw model_not_found(name, cards);
  return *card;
}

json::value read_body(const std::string& body) {
  if (body.empty()) {
    throw Error(Code::invalid_argument, "the request has no body; a JSON object is expected");
  }
  if (!is_valid_utf8(body)) throw Error(Code::invalid_argument, "the body is not valid UTF-8");
  JsonLimits limits;
  limits.max_bytes = kMaxBodyBytes;
  limits.max_depth = kMaxJsonDepth;
  json::value value = parse_json(body, limits);
  if (const auto key = duplicate_key(body)) {
    const std::string quoted = json_quote(std::string_view(*key).substr(0, 80), true);
    throw Error(Code::invalid_argument,
                fmt::format("the key '{}' is there twice in one object of the body",
                            std::string_view(quoted).substr(1, quoted.size() - 2)),
                "send each field once");
  }
  return value;
}

std::string rfc3339(int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

}  // namespace strata::api
