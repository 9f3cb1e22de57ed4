#include "api/dialect/llamacpp_fields.h"

#include <array>
#include <charconv>
#include <limits>

#include "api/limits.h"

namespace strata::api {
namespace {

constexpr double kAny = 1e30;  // far beyond what any of them may sensibly be
constexpr size_t kMaxResponseFields = 64;
constexpr size_t kMaxFieldBytes = 256;
constexpr int64_t kMostPingSeconds = 3600;

// With the values that switch it off.
struct Unbuilt {
  std::string_view name;
  double low, high;
};
constexpr std::array kUnbuilt{Unbuilt{"min_keep", 0, 1}, Unbuilt{"dynatemp_range", 0, 0},
                              Unbuilt{"adaptive_target", -kAny, -1 / kAny}};

// Their habitual value is -1.
bool asks_from_zero(Fields& fields, std::string_view name) {
  return fields.integer(name, -1, INT32_MAX).value_or(-1) >= 0;
}

// Editors send these with every request. Without them an answer is longer or later at most.
bool asks_above_zero(Fields& fields, std::string_view name) {
  return fields.number(name, -kAny, kAny).value_or(0) > 0;
}

constexpr std::array kWork{
    Idle{"id_slot", asks_from_zero},          Idle{"n_keep", asks_from_zero},
    Idle{"n_indent", asks_above_zero},        Idle{"t_max_prompt_ms", asks_above_zero},
    Idle{"n_discard", asks_above_zero},       Idle{"n_cache_reuse", asks_above_zero},
    Idle{"backend_sampling", asks_when_true}, Idle{"verbose", asks_when_true}};

// The object that pairs of id and bias in an array stand for.
json::object object_of_pairs(const json::value& pairs, const Fields& fields) {
  const auto refuse = [&](std::string_view why, std::string hint = {}) {
    fields.fail("logit_bias", why, std::move(hint));
  };
  constexpr std::string_view kForms =
      "must be an object of token id: bias, or an array of [token id, bias]";
  if (!pairs.is_array()) refuse(kForms);
  json::object object;
  for (const json::value& pair : pairs.get_array()) {
    const json::array* both = pair.if_array();
    if (both == nullptr || both->size() != 2) refuse(kForms);
    const json::value& id = both->front();
    if (id.is_string()) {
      refuse("names a token by its text", "send token ids: /tokenize tells those of a text");
    }
    if (!id.is_int64()) refuse("has an entry that is no token id");
    object[std::to_string(id.get_int64())] = both->back();
  }
  return object;
}

int32_t read_id(std::string_view key, const Fields& biases) {
  int32_t id = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size() || id < 0) {
    biases.fail(key, "is no token id", "/tokenize tells the ids of a text");
  }
  return id;
}

float read_bias(std::string_view key, Fields& biases, double most) {
  const json::value* value = biases.get(key);
  const bool bans = value != nullptr && value->is_bool() && !value->get_bool();
  return bans ? -std::numeric_limits<float>::infinity()
              : biases.real(key, -most, most).value_or(0.0f);
}

}  // namespace

const std::span<const Idle> kIdleWork = kWork;

std::optional<int64_t> read_alias(Fields& fields, std::initializer_list<std::string_view> names,
                                  int64_t low, int64_t high) {
  std::optional<int64_t> found;
  std::string_view by;
  for (const std::string_view name : names) {
    const auto value = fields.integer(name, low, high);
    if (!value) continue;
    if (found && *found != *value) {
      fields.fail(name, fmt::format("and {} differ", by), "send only one of them");
    }
    found = value;
    by = name;
  }
  return found;
}

void read_logit_bias(Fields& fields, SamplingOptions& sampling, double most) {
  const json::value* value = fields.get("logit_bias");
  if (value == nullptr) return;
  const json::value given =
      value->is_object() ? *value : json::value(object_of_pairs(*value, fields));
  if (given.get_object().size() > kMaxLogitBias) {
    fields.fail("logit_bias", fmt::format("has {} entries, the limit is {}",
                                          given.get_object().size(), kMaxLogitBias));
  }
  Fields biases(given, "logit_bias");
  for (const auto& member : given.get_object()) {
    const std::string_view key = member.key();
    sampling.logit_bias[read_id(key, biases)] = read_bias(key, biases, most);
  }
}

std::vector<std::string> read_response_fields(Fields& fields) {
  return fields.texts("response_fields", kMaxResponseFields, kMaxFieldBytes)
      .value_or(std::vector<std::string>{});
}

int32_t read_ping_interval(Fields& fields) {
  const auto seconds = fields.integer("sse_ping_interval", -1, kMostPingSeconds);
  if (seconds == 0) fields.fail("sse_ping_interval", "must be -1 or at least 1 second");
  return static_cast<int32_t>(seconds.value_or(0));
}

void refuse_unbuilt(Fields& fields) {
  for (const Unbuilt& each : kUnbuilt) {
    const auto value = fields.number(each.name, -kAny, kAny);
    if (value && (*value < each.low || *value > each.high)) {
      fields.fail(each.name, fmt::format("is {}, which is not supported", *value), "leave it out");
    }
  }
  // They say how the two before go about it.
  fields.number("dynatemp_exponent", -kAny, kAny);
  fields.number("adaptive_decay", -kAny, kAny);
  if (!fields.array("lora", kMaxTools).empty()) {
    fields.fail("lora", "names adapters, and there are none", "leave lora out");
  }
  if (fields.boolean("grammar_lazy").value_or(false)) {
    fields.fail("grammar_lazy", "is true, which is not supported", "leave it out");
  }
}

void refuse_post_sampling(Fields& fields, bool told) {
  if (!fields.boolean("post_sampling_probs").value_or(false) || !told) return;
  fields.fail("post_sampling_probs",
              "is true, which is not supported: probabilities are the model's own here",
              "leave it out: n_probs gives those from before sampling");
}

bool asks_when_true(Fields& fields, std::string_view name) {
  return fields.boolean(name).value_or(false);
}

void name_idle(Fields& fields, std::span<const Idle> idle, std::vector<std::string>& ignored) {
  for (const Idle& each : idle) {
    if (each.asks(fields, each.name)) ignored.push_back(fields.path(each.name));
  }
}

}  // namespace strata::api
