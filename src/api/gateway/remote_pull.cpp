#include "api/gateway/remote_answer.h"

namespace strata::api {
namespace {

constexpr uint64_t kStallTimeoutMs = 600'000;  // a large file is hashed without a word
constexpr uint64_t kMaxReportBytes = 256u << 20;

// Reads the lines of one pull: what it does, how far it is, how it ended.
class PullReader {
 public:
  explicit PullReader(const models::PullOptions& options) : options_(options) {}

  void take(const json::object& line) {
    if (line.contains("error")) throw Error(Code::unavailable, text_of(line, "error"));
    const std::string status = text_of(line, "status");
    if (status == "success") {
      if (const auto* ours = line.if_contains("strata"); ours != nullptr && ours->is_object()) {
        name_ = text_of(ours->get_object(), "name");
      }
    } else if (options_.progress) {
      options_.progress({.stage = status,
                         .file = {},
                         .done = static_cast<uint64_t>(integer_of(line, "completed")),
                         .total = static_cast<uint64_t>(integer_of(line, "total"))});
    }
  }

  std::string name() const {
    if (!name_.empty()) return name_;
    throw Error(Code::unavailable, "the server ended the pull in the middle",
                "try again: what it has fetched stays");
  }

 private:
  const models::PullOptions& options_;
  std::string name_;
};

}  // namespace

std::string pull_on_server(const std::string& base_url, const std::string& key,
                           std::string_view what, const models::PullOptions& options) {
  HttpRequest request = request_to(base_url, key, "POST", "/api/pull",
                                   to_json(json::object{{"model", what}, {"stream", true}}));
  request.stall_timeout_ms = kStallTimeoutMs;
  request.max_body_bytes = kMaxReportBytes;
  request.keep_going = options.keep_going;
  PullReader reader(options);
  int status = 0;
  std::string held;
  http_stream(
      request, policy_for_server(base_url), [&](const HttpHead& head) { status = head.status; },
      [&](std::span<const std::byte> bytes) {
        held.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (status == 200) {
          take_lines(held, [&](const json::object& line) { reader.take(line); });
        }
      });
  if (status != 200) throw refusal_of(status, held);
  return reader.name();
}

}  // namespace strata::api
