// Batches of messages: their requests and answers are files of the key, as those of /v1/batches.
#include <map>
#include <set>

#include "api/dialect/anthropic/anthropic.h"
#include "api/dialect/dialect_common.h"
#include "api/files/batch_runner.h"
#include "api/not_yet.h"
#include "core/ascii.h"

namespace strata::api::anthropic {
namespace {

constexpr std::string_view kKind = "msgbatch", kEndpoint = "/v1/messages";
constexpr std::string_view kVersionHeader = "anthropic-version";
constexpr size_t kMaxIdBytes = 64;

using Exchanged = std::shared_ptr<Exchange>;

void respond(const Exchanged& exchange, const json::object& body) {
  Response response;
  response.body = to_json(body);
  exchange->respond(std::move(response));
}

BatchRunner& batches_of(const Services& services) {
  if (!services.batches || !services.files) {
    throw Error(Code::unimplemented, "this server runs no batches");
  }
  return *services.batches;
}

Batch batch_of(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  return batches_of(services).store().get(request.owner, request.params.at("id"), kKind);
}

bool is_plain(char c) {
  return is_ascii_alnum(c) || c == '_' || c == '-';
}

// A request as a line of the runner's file.
std::string read_line(const json::value& entry, size_t place, std::set<std::string>& ids) {
  Fields fields(entry, fmt::format("requests[{}]", place));
  const std::string id = fields.required_text("custom_id");
  if (id.size() > kMaxIdBytes || !std::ranges::all_of(id, is_plain)) {
    fields.fail("custom_id",
                fmt::format("must be at most {} letters, digits, _ and -", kMaxIdBytes));
  }
  if (!ids.insert(id).second) fields.fail("custom_id", "is that of another request");
  auto params = fields.object("params");
  if (!params) fields.fail("params", "is missing");
  if (params->boolean("stream").value_or(false)) {
    params->fail("stream", "must be false: a batch's answers are read when all are there");
  }
  fields.refuse_unread();
  const json::object line{
      {"custom_id", id}, {"method", "POST"}, {"url", kEndpoint}, {"body", entry.at("params")}};
  return to_json(line) + "\n";
}

json::value time_or_null(const json::object& data, std::string_view field) {
  const json::value* seconds = data.if_contains(field);
  if (!seconds || !seconds->is_int64()) return nullptr;
  return json::string(rfc3339(seconds->get_int64() * 1000));
}

json::object counts_of(const Batch& batch, const BatchStore& store) {
  const json::value counted = store.wire(batch).at("request_counts");
  const auto number = [](const json::value& value) { return value.to_number<int64_t>(); };
  const int64_t total = number(counted.at("total")), succeeded = number(counted.at("completed"));
  json::object counts{
      {"processing", total}, {"succeeded", 0}, {"errored", 0}, {"canceled", 0}, {"expired", 0}};
  if (!has_ended(batch)) return counts;  // told when all are there
  const json::value* unmade = batch.data.if_contains("unmade");
  const int64_t expired = batch.status == "expired" && unmade ? number(*unmade) : 0;
  const int64_t made = succeeded + number(counted.at("failed"));
  const int64_t canceled = batch.status == "cancelled" ? total - made : 0;
  counts["processing"] = 0;
  counts["succeeded"] = succeeded;
  counts["errored"] = total - succeeded - expired - canceled;
  counts["canceled"] = canceled;
  counts["expired"] = expired;
  return counts;
}

// Behind a proxy that speaks TLS the client's scheme is the one that the proxy tells.
std::string address_of(const Request& request) {
  const auto host = request.headers.find("host");
  if (!host) return {};
  const bool secure = request.headers.find("x-forwarded-proto") == "https";
  return fmt::format("{}://{}", secure ? "https" : "http", *host);
}

json::object batch_json(const Batch& batch, const BatchStore& store, const Request& request) {
  const bool ended = has_ended(batch);
  const json::object& data = batch.data;
  json::object whole{
      {"id", batch.id},
      {"type", "message_batch"},
      {"processing_status", ended                          ? "ended"
                            : batch.status == "cancelling" ? "canceling"
                                                           : "in_progress"},
      {"request_counts", counts_of(batch, store)},
      {"created_at", time_or_null(data, "created_at")},
      {"expires_at", time_or_null(data, "expires_at")},
      {"ended_at", ended ? time_or_null(data, batch.status + "_at") : json::value(nullptr)},
      {"cancel_initiated_at", time_or_null(data, "cancelling_at")},
      {"archived_at", nullptr},
      {"results_url", nullptr}};
  if (ended) {
    whole["results_url"] =
        fmt::format("{}/v1/messages/batches/{}/results", address_of(request), batch.id);
  }
  return whole;
}

// What became of a request, from a line of the output or the error file.
json::object result_of(const json::object& line) {
  const json::value& response = line.at("response");
  if (response.is_object()) {
    const bool ok = response.at("status_code").to_number<int>() < 400;
    return {{"type", ok ? "succeeded" : "errored"},
            {ok ? "message" : "error", response.at("body")}};
  }
  const json::value& error = line.at("error");
  if (error.at("code").as_string() == "batch_expired") return {{"type", "expired"}};
  const Error failure(Code::internal, std::string(error.at("message").as_string()));
  return {{"type", "errored"}, {"error", error_json(failure)}};
}

void each_line(std::string_view text, const std::function<void(json::object)>& take) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) take(parse_json(text.substr(0, end)).as_object());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

void create_batch(const Exchanged& exchange, const Services& services) {
  BatchRunner& batches = batches_of(services);
  const Request& request = exchange->request();
  const json::value document = read_body(request.body);
  Fields fields(document);
  const auto entries = fields.array("requests", kMaxBatchLines);
  if (entries.empty()) fields.fail("requests", "must have at least one request");
  fields.refuse_unread();
  std::string lines;
  std::set<std::string> ids;
  for (size_t i = 0; i < entries.size(); ++i) lines += read_line(entries[i], i, ids);
  const StoredFile file = services.files->add({.owner = request.owner,
                                               .name = "message_batch.jsonl",
                                               .purpose = "batch",
                                               .created = services.now_ms() / 1000},
                                              lines);
  BatchKind kind{.name = std::string(kKind), .n_requests = static_cast<int64_t>(entries.size())};
  kind.headers[kVersionHeader] = request.headers.find(kVersionHeader).value_or("");
  std::string id;
  try {
    const auto made = batches.create(request.owner, std::string(kEndpoint), file.id, {}, kind);
    id = made.at("id").as_string();
  } catch (const Error&) {
    services.files->remove(file.owner, file.id);
    throw;
  }
  respond(exchange, batch_json(batches.store().get(request.owner, id), batches.store(), request));
}

void list_batches(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  const BatchStore& store = batches_of(services).store();
  const auto limit = static_cast<size_t>(read_limit(request.query));
  if (query_value(request.query, "before_id")) {
    throw FieldError("before_id", "before_id is not built", "go on with after_id");
  }
  const std::string after = query_value(request.query, "after_id").value_or("");
  auto found = store.list(request.owner, after, static_cast<int64_t>(limit), kKind);
  const bool more = found.size() > limit;
  if (more) found.pop_back();
  json::array data;
  for (const Batch& batch : found) data.push_back(batch_json(batch, store, request));
  json::object body{{"first_id", nullptr}, {"last_id", nullptr}, {"has_more", more}};
  if (!found.empty()) body["first_id"] = found.front().id;
  if (!found.empty()) body["last_id"] = found.back().id;
  body["data"] = std::move(data);
  respond(exchange, body);
}

void get_batch(const Exchanged& exchange, const Services& services) {
  const Batch batch = batch_of(exchange, services);
  respond(exchange, batch_json(batch, batches_of(services).store(), exchange->request()));
}

void cancel_batch(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  batches_of(services).cancel(request.owner, request.params.at("id"), kKind);
  get_batch(exchange, services);
}

void delete_batch(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  const std::string& id = request.params.at("id");
  batches_of(services).remove(request.owner, id, kKind);
  respond(exchange, {{"id", id}, {"type", "message_batch_deleted"}});
}

// In the order of the requests.
void batch_results(const Exchanged& exchange, const Services& services) {
  const Batch batch = batch_of(exchange, services);
  if (!has_ended(batch)) {
    throw NotYet("the batch has not ended", "ask again later");
  }
  const int64_t now_s = services.now_ms() / 1000;
  const auto content = [&](std::string_view field) {
    const json::value& id = batch.data.at(field);
    if (!id.is_string()) return std::string();
    return services.files->read(
        services.files->get(batch.owner, std::string_view(id.get_string()), now_s));
  };
  std::map<std::string, json::object> results;
  for (const char* each : {"output_file_id", "error_file_id"}) {
    each_line(content(each), [&](json::object line) {
      results[std::string(line.at("custom_id").as_string())] = result_of(line);
    });
  }
  const bool cancelled = batch.status == "cancelled";
  const Error lost(Code::internal, "the batch failed before this request was answered");
  const json::object missing = cancelled
                                   ? json::object{{"type", "canceled"}}
                                   : json::object{{"type", "errored"}, {"error", error_json(lost)}};
  Response response;
  response.content_type = "application/x-jsonl";
  each_line(content("input_file_id"), [&](const json::object& line) {
    const std::string id(line.at("custom_id").as_string());
    const auto found = results.find(id);
    const json::object& result = found == results.end() ? missing : found->second;
    response.body += to_json(json::object{{"custom_id", id}, {"result", result}}) + "\n";
  });
  exchange->respond(std::move(response));
}

}  // namespace strata::api::anthropic
