#include "api/files/batch_lines.h"

#include <algorithm>
#include <array>
#include <set>

#include "api/json_duplicates.h"
#include "api/json_fields.h"
#include "api/limits.h"
#include "core/utf8.h"

namespace strata::api {
namespace {

constexpr std::array<std::string_view, 4> kEndpoints{"/v1/chat/completions", "/v1/completions",
                                                     "/v1/embeddings", "/v1/responses"};
BatchRequest read_line(std::string_view text, std::string_view endpoint) {
  JsonLimits limits;
  limits.max_bytes = kMaxBodyBytes;
  limits.max_depth = kMaxJsonDepth;
  if (!is_valid_utf8(text)) throw Error(Code::invalid_argument, "the line is not valid UTF-8");
  const json::value document = parse_json(text, limits);
  if (const auto key = duplicate_key(text)) {
    throw Error(Code::invalid_argument,
                fmt::format("the key {} is there twice in one object of the line",
                            json_quote(std::string_view(*key).substr(0, 80), true)),
                "send each field once");
  }
  Fields fields(document);
  BatchRequest request;
  request.custom_id = fields.required_text("custom_id");
  if (request.custom_id.size() > kMaxCustomIdBytes) {
    fields.fail("custom_id", fmt::format("has {} bytes, the limit is {}", request.custom_id.size(),
                                         kMaxCustomIdBytes));
  }
  if (fields.required_text("method") != "POST") fields.fail("method", "must be POST");
  if (fields.required_text("url") != endpoint) {
    fields.fail("url", fmt::format("must be the batch's endpoint, {}", endpoint));
  }
  auto body = fields.object("body");
  if (!body) fields.fail("body", "is missing");
  if (body->boolean("stream").value_or(false)) {
    body->fail("stream", "must be false: a batch's answers are read when all are there");
  }
  fields.refuse_unread();
  request.body = to_json(document.at("body"));
  return request;
}

json::object error_entry(int64_t line, const Error& error, std::string_view code) {
  const auto* field = dynamic_cast<const FieldError*>(&error);
  json::object entry{
      {"code", code}, {"line", line}, {"message", error.message()}, {"param", nullptr}};
  if (field) entry["param"] = json::string(field->field());
  return entry;
}

json::object line_head(const std::string& batch, int64_t line, const std::string& custom_id) {
  return {{"id", batch_request_id(batch, line)}, {"custom_id", custom_id}};
}

}  // namespace

bool is_batch_endpoint(std::string_view path) {
  return std::ranges::find(kEndpoints, path) != kEndpoints.end();
}

BatchInput read_batch_input(std::string_view file, std::string_view endpoint) {
  BatchInput input;
  std::set<std::string> ids;
  const auto fail = [&](int64_t line, const Error& error, std::string_view code) {
    if (input.errors.size() < kMaxBatchErrors) {
      input.errors.push_back(error_entry(line, error, code));
    }
  };
  for (int64_t line = 1; !file.empty(); ++line) {
    const size_t end = std::min(file.find('\n'), file.size());
    const std::string_view text = file.substr(0, end);
    file.remove_prefix(std::min(end + 1, file.size()));
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (input.requests.size() == kMaxBatchLines) {
      fail(line,
           Error(Code::invalid_argument,
                 fmt::format("the file has over {} requests", kMaxBatchLines)),
           "too_many_requests");
      break;
    }
    try {
      input.requests.push_back(read_line(text, endpoint));
      if (!ids.insert(input.requests.back().custom_id).second) {
        fail(line, FieldError("custom_id", "custom_id is that of another line"),
             "duplicate_custom_id");
      }
    } catch (const Error& error) {
      fail(line, error, "invalid_request");
    }
  }
  if (input.requests.empty() && input.errors.empty()) {
    fail(1, Error(Code::invalid_argument, "the file has no request"), "empty_file");
  }
  return input;
}

std::string batch_request_id(const std::string& batch, int64_t line) {
  return fmt::format("batch_req_{}_{}", batch.substr(batch.find('_') + 1), line);
}

std::string answered_line(const std::string& batch, int64_t line, const std::string& custom_id,
                          const Response& response) {
  json::object written = line_head(batch, line, custom_id);
  written["response"] = json::object{{"status_code", response.status},
                                     {"request_id", batch_request_id(batch, line)},
                                     {"body", parse_json(response.body)}};
  written["error"] = nullptr;
  return to_json(written);
}

std::string unmade_line(const std::string& batch, int64_t line, const std::string& custom_id,
                        std::string_view code, std::string_view message) {
  json::object written = line_head(batch, line, custom_id);
  written["response"] = nullptr;
  written["error"] = json::object{{"code", code}, {"message", message}};
  return to_json(written);
}

}  // namespace strata::api
