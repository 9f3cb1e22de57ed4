// OpenAI's /v1/files and /v1/batches.
#include <algorithm>
#include <array>
#include <charconv>

#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/openai.h"
#include "api/files/batch_runner.h"
#include "api/http/multipart.h"
#include "api/limits.h"

namespace strata::api::openai {
namespace {

constexpr std::array<std::string_view, 6> kPurposes{"assistants", "batch",     "fine-tune",
                                                    "vision",     "user_data", "evals"};
constexpr int64_t kMaxListedFiles = 10'000;
constexpr int64_t kMaxListedBatches = 100;
constexpr int64_t kMinExpiryS = 3'600, kMaxExpiryS = 2'592'000;  // an hour, thirty days

using Exchanged = std::shared_ptr<Exchange>;

void respond(const Exchanged& exchange, json::object body) {
  Response response;
  response.body = to_json(body);
  exchange->respond(std::move(response));
}

FileStore& files_of(const Services& services) {
  if (!services.files) throw Error(Code::unimplemented, "this server keeps no files");
  return *services.files;
}

BatchRunner& batches_of(const Services& services) {
  if (!services.batches) throw Error(Code::unimplemented, "this server runs no batches");
  return *services.batches;
}

int64_t now_s(const Services& services) {
  return services.now_ms() / 1000;
}

json::object file_json(const StoredFile& file) {
  json::object written{{"id", file.id},
                       {"object", "file"},
                       {"bytes", file.size_bytes},
                       {"created_at", file.created},
                       {"filename", file.name},
                       {"purpose", file.purpose},
                       {"status", "processed"},
                       {"status_details", nullptr}};
  if (file.expires) written["expires_at"] = *file.expires;
  return written;
}

// A whole number of the query.
int64_t query_integer(const Request& request, std::string_view name, int64_t low, int64_t high,
                      int64_t otherwise) {
  const auto text = query_value(request.query, name);
  if (!text) return otherwise;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = error == std::errc() && end == text->data() + text->size();
  if (!whole || value < low || value > high) {
    throw FieldError(std::string(name),
                     fmt::format("{} must be a whole number from {} to {}", name, low, high));
  }
  return value;
}

// The list's object; `items` may have one more than is shown.
json::object list_json(json::array items, int64_t limit) {
  const bool more = static_cast<int64_t>(items.size()) > limit;
  if (more) items.pop_back();
  json::object list{
      {"object", "list"}, {"has_more", more}, {"first_id", nullptr}, {"last_id", nullptr}};
  if (!items.empty()) list["first_id"] = items.front().at("id");
  if (!items.empty()) list["last_id"] = items.back().at("id");
  list["data"] = std::move(items);
  return list;
}

// --- files ---

int64_t expiry_seconds(std::string_view text) {
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < kMinExpiryS ||
      seconds > kMaxExpiryS) {
    throw FieldError("expires_after[seconds]",
                     fmt::format("expires_after[seconds] must be a whole number from {} to {}",
                                 kMinExpiryS, kMaxExpiryS));
  }
  return seconds;
}

[[noreturn]] void missing(const std::string& field) {
  throw FieldError(field, field + " is missing");
}

// The fields of an upload.
void read_upload(const std::vector<FormPart>& parts, StoredFile& file,
                 std::optional<std::string_view>& content) {
  bool anchored = false;
  for (const FormPart& part : parts) {
    if (part.name == "file") {
      if (!part.filename || content) throw FieldError("file", "file must be one file, with a name");
      file.name = *part.filename;
      content = part.content;
    } else if (part.name == "purpose") {
      file.purpose = part.content;
    } else if (part.name == "expires_after[anchor]") {
      anchored = true;
      if (part.content != "created_at") {
        throw FieldError(part.name, part.name + " must be created_at");
      }
    } else if (part.name == "expires_after[seconds]") {
      file.expires = file.created + expiry_seconds(part.content);
    } else {
      const std::string name = part.name.substr(0, 80);
      throw FieldError(name, name + " is not supported", "remove the field");
    }
  }
  if (anchored && !file.expires) missing("expires_after[seconds]");
  if (file.expires && !anchored) missing("expires_after[anchor]");
}

void upload(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  const auto parts = read_form(request.headers.find("content-type").value_or(""), request.body);
  StoredFile file{.owner = request.owner, .created = now_s(services)};
  std::optional<std::string_view> content;
  read_upload(parts, file, content);
  if (!content) missing("file");
  if (std::ranges::find(kPurposes, file.purpose) == kPurposes.end()) {
    throw FieldError("purpose",
                     "purpose must be assistants, batch, fine-tune, vision, user_data or evals");
  }
  respond(exchange, file_json(files_of(services).add(std::move(file), *content)));
}

void list_files(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  FileStore::ListRequest wanted{.owner = request.owner};
  wanted.purpose = query_value(request.query, "purpose").value_or("");
  wanted.after = query_value(request.query, "after").value_or("");
  wanted.limit = query_integer(request, "limit", 1, kMaxListedFiles, kMaxListedFiles);
  const std::string order = query_value(request.query, "order").value_or("desc");
  if (order != "asc" && order != "desc") throw FieldError("order", "order must be asc or desc");
  wanted.ascending = order == "asc";
  json::array items;
  for (const StoredFile& file : files_of(services).list(wanted, now_s(services))) {
    items.push_back(file_json(file));
  }
  respond(exchange, list_json(std::move(items), wanted.limit));
}

StoredFile file_of(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  return files_of(services).get(request.owner, request.params.at("id"), now_s(services));
}

void file_content(const Exchanged& exchange, const Services& services) {
  Response response;
  response.content_type = "application/octet-stream";  // no page may run what was brought here
  response.body = files_of(services).read(file_of(exchange, services));
  exchange->respond(std::move(response));
}

void delete_file(const Exchanged& exchange, const Services& services) {
  const StoredFile file = file_of(exchange, services);
  files_of(services).remove(file.owner, file.id);
  respond(exchange, {{"id", file.id}, {"object", "file"}, {"deleted", true}});
}

// --- batches ---

void create_batch(const Exchanged& exchange, const Services& services) {
  const json::value document = read_body(exchange->request().body);
  Fields fields(document);
  const std::string endpoint = fields.required_text("endpoint");
  if (!is_batch_endpoint(endpoint)) {
    fields.fail("endpoint",
                "must be /v1/chat/completions, /v1/completions, /v1/embeddings or "
                "/v1/responses");
  }
  const std::string input = fields.required_text("input_file_id");
  if (fields.required_text("completion_window") != "24h") {
    fields.fail("completion_window", "must be 24h");
  }
  json::object metadata = read_metadata(fields);
  fields.refuse_unread();
  respond(exchange, batches_of(services).create(exchange->request().owner, endpoint, input,
                                                std::move(metadata)));
}

void list_batches(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  const BatchStore& store = batches_of(services).store();
  const int64_t limit = query_integer(request, "limit", 1, kMaxListedBatches, 20);
  json::array items;
  const std::string after = query_value(request.query, "after").value_or("");
  for (const Batch& batch : store.list(request.owner, after, limit)) {
    items.push_back(store.wire(batch));
  }
  respond(exchange, list_json(std::move(items), limit));
}

void get_batch(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  const BatchStore& store = batches_of(services).store();
  respond(exchange, store.wire(store.get(request.owner, request.params.at("id"), {})));
}

void cancel_batch(const Exchanged& exchange, const Services& services) {
  const Request& request = exchange->request();
  respond(exchange, batches_of(services).cancel(request.owner, request.params.at("id")));
}

}  // namespace

void add_file_routes(RouteTable& table, const Services& services) {
  const auto add = [&](std::string method, std::string pattern, size_t limit, auto handler) {
    table.add({std::move(method), std::move(pattern), Scope::inference, limit,
               [&services, handler](const Exchanged& exchange) { handler(exchange, services); },
               "openai", Lane::store});
  };
  add("POST", "/v1/files", kMaxUploadBytes, upload);
  add("GET", "/v1/files", 0, list_files);
  add("GET", "/v1/files/{id}", 0, [](const Exchanged& exchange, const Services& all) {
    respond(exchange, file_json(file_of(exchange, all)));
  });
  add("GET", "/v1/files/{id}/content", 0, file_content);
  add("DELETE", "/v1/files/{id}", 0, delete_file);
  add("POST", "/v1/batches", kMaxSmallBodyBytes, create_batch);
  add("GET", "/v1/batches", 0, list_batches);
  add("GET", "/v1/batches/{id}", 0, get_batch);
  add("POST", "/v1/batches/{id}/cancel", kMaxSmallBodyBytes, cancel_batch);
}

}  // namespace strata::api::openai
