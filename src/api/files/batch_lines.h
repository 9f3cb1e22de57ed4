// The lines of a batch's files: requests in, answers and failures out (JSONL).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/http.h"
#include "core/json.h"

namespace strata::api {

constexpr size_t kMaxBatchLines = 50'000;
constexpr size_t kMaxBatchErrors = 100;  // told of a file that is refused
constexpr size_t kMaxCustomIdBytes = 512;

// What may be asked in a batch.
bool is_batch_endpoint(std::string_view path);

struct BatchRequest {
  std::string custom_id;
  std::string body;  // JSON, with the priority of a batch where the endpoint knows one
};

struct BatchInput {
  std::vector<BatchRequest> requests;
  json::array
      errors;  // {"code", "line", "message", "param"}: the file is refused when there are any
};

// Every line is looked at before the first request is made.
BatchInput read_batch_input(std::string_view file, std::string_view endpoint);

// A line of the output file (status below 400) or of the error file.
std::string answered_line(const std::string& batch, int64_t line, const std::string& custom_id,
                          const Response& response);
// A line of the error file for a request that was not made.
std::string unmade_line(const std::string& batch, int64_t line, const std::string& custom_id,
                        std::string_view code, std::string_view message);
// The x-request-id of a line.
std::string batch_request_id(const std::string& batch, int64_t line);

}  // namespace strata::api
