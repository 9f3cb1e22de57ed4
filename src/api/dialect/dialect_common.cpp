#include "api/dialect/dialect_common.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "api/gateway/did_you_mean.h"
#include "api/json_duplicates.h"
#include "api/limits.h"
#include "core/duration.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

constexpr int32_t kMaxInt = 1 << 30;

void read_int(Fields& fields, std::string_view key, std::optional<int32_t>& target, int32_t low) {
  if (const auto value = fields.integer(key, low, kMaxInt)) target = static_cast<int32_t>(*value);
}

void read_float(Fields& fields, std::string_view key, std::optional<float>& target, double low,
                double high) {
  if (const auto value = fields.real(key, low, high)) target = *value;
}

}  // namespace

void read_basic_sampling(Fields& fields, SamplingOptions& options, double max_temperature) {
  read_float(fields, "temperature", options.temperature, 0, max_temperature);
  read_float(fields, "top_p", options.top_p, 0, 1);
  read_float(fields, "presence_penalty", options.presence_penalty, -2, 2);
  read_float(fields, "frequency_penalty", options.frequency_penalty, -2, 2);
  const auto seed = fields.integer("seed", -1, INT64_MAX);
  if (seed) options.seed = *seed < 0 ? kFreshSeed : static_cast<uint64_t>(*seed);
}

void read_common_sampling(Fields& fields, SamplingOptions& options) {
  read_int(fields, "top_k", options.top_k, -1);
  if (options.top_k && *options.top_k < 0) options.top_k = 0;  // vLLM's word for "all"
  read_float(fields, "min_p", options.min_p, 0, 1);
  read_float(fields, "typical_p", options.typical_p, 0, 1);
  read_float(fields, "top_n_sigma", options.top_n_sigma, -1, 1000);
  if (options.top_n_sigma && *options.top_n_sigma < 0) options.top_n_sigma = 0;
  read_float(fields, "repeat_penalty", options.repeat_penalty, 1e-3, 100);
  read_int(fields, "repeat_last_n", options.repeat_last_n, -1);
  read_float(fields, "xtc_probability", options.xtc_probability, 0, 1);
  read_float(fields, "xtc_threshold", options.xtc_threshold, 0, 1);
  read_float(fields, "dry_multiplier", options.dry_multiplier, 0, 100);
  read_float(fields, "dry_base", options.dry_base, 1, 100);
  read_int(fields, "dry_allowed_length", options.dry_allowed_length, 0);
  read_int(fields, "dry_penalty_last_n", options.dry_penalty_last_n, -1);
  if (auto breakers = fields.texts("dry_sequence_breakers", kMaxStopStrings, kMaxStopBytes)) {
    options.dry_sequence_breakers = std::move(*breakers);
  }
  if (const auto mirostat = fields.integer("mirostat", 0, 2)) {
    if (*mirostat == 1) {
      fields.fail("mirostat", "is 1, which is not built; 0 is off and 2 is version 2",
                  "use mirostat 2");
    }
    options.mirostat = static_cast<int32_t>(*mirostat);
  }
  read_float(fields, "mirostat_tau", options.mirostat_tau, 1e-3, 1000);
  read_float(fields, "mirostat_eta", options.mirostat_eta, 1e-6, 1000);
}

void read_stop(Fields& fields, SamplingOptions& options, size_t max_count) {
  auto stop = fields.texts("stop", max_count, kMaxStopBytes);
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

std::optional<int64_t> read_keep_alive(Fields& fields) {
  const json::value* value = fields.get("keep_alive");
  if (!value) return std::nullopt;
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

const ModelCard& find_card(const std::vector<ModelCard>& cards, std::string_view name) {
  const auto bare = [](std::string_view text) {
    if (text.ends_with(":latest")) text.remove_suffix(7);
    return text;
  };
  for (const ModelCard& card : cards) {
    if (bare(card.name) == bare(name)) return card;
  }
  throw model_not_found(name, cards);
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
