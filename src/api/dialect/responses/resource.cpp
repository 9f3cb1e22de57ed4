#include <charconv>

#include "api/dialect/responses/responses.h"
#include "inference/sampler_params.h"

namespace strata::api::responses {
namespace {

// As the caller wrote it: 0.7, not the nearest float's 0.699999988.
double written(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double number = 0;
  std::from_chars(text, end, number);
  return number;
}

int64_t read_limit(const Request& request) {
  const auto text = query_value(request.query, "limit");
  if (!text) return kPageItems;
  int64_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc() || end != text->data() + text->size() || limit < 1 ||
      limit > kMaxPageItems) {
    throw FieldError("limit", fmt::format("limit must be a number from 1 to {}", kMaxPageItems));
  }
  return limit;
}

}  // namespace

json::object resource(const Ask& ask, const std::string& id, int64_t created_s) {
  json::object object = ask.mirror;
  const auto sampler = apply(ask.chat.sampling, {});
  object["temperature"] = written(sampler.temperature);
  object["top_p"] = written(sampler.top_p);
  object["presence_penalty"] = written(sampler.presence_penalty);
  object["frequency_penalty"] = written(sampler.frequency_penalty);
  object["id"] = id;
  object["object"] = "response";
  object["created_at"] = created_s;
  object["status"] = ask.background ? kQueued : kInProgress;
  object["output"] = json::array{};
  for (const char* key : {"completed_at", "error", "incomplete_details", "usage", "user"}) {
    object[key] = nullptr;
  }
  return object;
}

json::object usage_json(const inference::Usage& usage, int32_t reasoning_tokens) {
  return {{"input_tokens", usage.prompt_tokens},
          {"input_tokens_details",
           json::object{{"cached_tokens", usage.cached_tokens}, {"cache_write_tokens", 0}}},
          {"output_tokens", usage.completion_tokens},
          {"output_tokens_details", json::object{{"reasoning_tokens", reasoning_tokens}}},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

PageRequest read_page_request(const Request& request, bool ascending) {
  PageRequest page;
  page.limit = read_limit(request);
  page.after = query_value(request.query, "after").value_or("");
  page.ascending = ascending;
  if (const auto order = query_value(request.query, "order")) {
    if (*order != "asc" && *order != "desc") {
      throw FieldError("order", "order must be asc or desc");
    }
    page.ascending = *order == "asc";
  }
  return page;
}

json::object list_json(Page page) {
  json::object list{{"object", "list"}, {"has_more", page.has_more}};
  for (const auto& [key, at] :
       {std::pair{"first_id", size_t{0}}, {"last_id", page.data.size() - 1}}) {
    list[key] = page.data.empty() ? json::value(nullptr) : page.data[at].at("id");
  }
  list["data"] = std::move(page.data);
  return list;
}

void respond_json(Exchange& exchange, const json::value& body) {
  Response response;
  response.body = to_json(body);
  exchange.respond(std::move(response));
}

History& history_of(const Services& services) {
  if (services.history) return *services.history;
  throw Error(Code::failed_precondition, "this server keeps no conversations and no responses",
              "send store: false");
}

}  // namespace strata::api::responses
