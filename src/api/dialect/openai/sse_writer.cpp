#include "api/dialect/openai/sse_writer.h"

#include "api/dialect/timings.h"

namespace strata::api::openai {
namespace {

void append_event(std::string& out, const json::value& value) {
  out += "data: ";
  out += to_json(value);
  out += "\n\n";
}

json::object usage_json(const Totals& totals) {
  return {{"prompt_tokens", totals.prompt_tokens},
          {"completion_tokens", totals.completion_tokens},
          {"total_tokens", totals.prompt_tokens + totals.completion_tokens},
          {"prompt_tokens_details", json::object{{"cached_tokens", totals.cached_tokens}}},
          {"completion_tokens_details",
           json::object{{"reasoning_tokens", totals.reasoning_tokens},
                        {"accepted_prediction_tokens", totals.accepted_prediction_tokens},
                        {"rejected_prediction_tokens", totals.rejected_prediction_tokens}}}};
}

// Of all choices together.
inference::Usage whole_usage(const Totals& totals) {
  inference::Usage usage;
  usage.prompt_tokens = static_cast<int32_t>(totals.prompt_tokens);
  usage.cached_tokens = static_cast<int32_t>(totals.cached_tokens);
  usage.completion_tokens = static_cast<int32_t>(totals.completion_tokens);
  usage.prompt_ns = totals.prompt_ns;
  usage.completion_ns = totals.completion_ns;
  return usage;
}

// Up to the next multiple of 64 bytes, so that the length of a piece says little about its text.
std::string padding(size_t n_bytes) {
  return std::string(64 - n_bytes % 64, 'x');
}

}  // namespace

void SseWriter::close(const Totals& totals, std::string& out) {
  if (info_.include_usage) {
    json::object last = head(chunk_name_);
    last["choices"] = json::array{};
    last["usage"] = usage_json(totals);
    if (info_.timings) last["timings"] = timings_json(whole_usage(totals));
    append_event(out, last);
  }
  out += "data: [DONE]\n\n";
}

void SseWriter::error(const Error& error, std::string& out) {
  append_event(out, error_json(error));
}

Response SseWriter::whole(const std::vector<WholeChoice>& choices, const Totals& totals) {
  Response response;
  response.body = to_json(whole_json(choices, totals));
  return response;
}

json::object SseWriter::whole_json(const std::vector<WholeChoice>& choices,
                                   const Totals& totals) const {
  json::array list;
  for (const WholeChoice& choice : choices) {
    json::object written = choice_json(choice);
    written["index"] = list.size();  // those of best_of are fewer than were made
    list.push_back(std::move(written));
  }
  json::object body = head(whole_name_);
  body["choices"] = std::move(list);
  if (!info_.metadata.empty()) body["metadata"] = info_.metadata;
  body["usage"] = usage_json(totals);
  if (info_.timings) body["timings"] = timings_json(whole_usage(totals));
  put_context_change(totals.context_change.get(), body);
  return body;
}

void SseWriter::chunk(std::string& out, json::object choice, const inference::Usage* done) {
  json::object body = head(chunk_name_);
  body["choices"] = json::array{std::move(choice)};
  if (info_.include_usage) body["usage"] = nullptr;
  if (info_.timings && done != nullptr) body["timings"] = timings_json(*done);
  put_context_change(std::exchange(context_change_, nullptr).get(), body);
  if (info_.obfuscate) body["obfuscation"] = padding(to_json(body).size());
  append_event(out, body);
}

json::object SseWriter::head(std::string_view object) const {
  return {{"id", info_.id},
          {"object", object},
          {"created", info_.created},
          {"model", info_.model},
          {"service_tier", json::string(info_.service_tier)},
          {"system_fingerprint", nullptr}};
}

json::string finish_reason(inference::FinishReason reason) {
  return reason == inference::FinishReason::length ? "length" : "stop";
}

}  // namespace strata::api::openai
