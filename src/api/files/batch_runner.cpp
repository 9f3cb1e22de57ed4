#include "api/files/batch_runner.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <map>

#include "api/not_yet.h"
#include "api/only_server.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/log.h"

namespace strata::api {
namespace {

// The same for the same batch: what a killed process had written already is not there twice.
std::string output_id(const std::string& batch, std::string_view kind) {
  return "file-" + sha256_hex(fmt::format("{} {}", batch, kind)).substr(0, 32);
}

json::object failure(std::string_view code, const Error& error) {
  return {{"code", code}, {"line", nullptr}, {"message", error.message()}, {"param", nullptr}};
}

constexpr std::string_view kInProgress = "in_progress", kCancelling = "cancelling";
constexpr std::array<std::string_view, 4> kEnds{"completed", "failed", "expired", "cancelled"};

}  // namespace

bool has_ended(const Batch& batch) {
  return std::ranges::find(kEnds, batch.status) != kEnds.end();
}

BatchRunner::BatchRunner(const std::filesystem::path& database, FileStore& files,
                         std::function<int64_t()> now_ms, BatchLimits limits,
                         const KeepLimits& keep)
    : files_(files),
      store_(database, keep),
      now_ms_(std::move(now_ms)),
      limits_(limits),
      lock_path_(database.parent_path() / "batches.lock"),
      inbox_(std::make_shared<BatchInbox>()) {}

BatchRunner::~BatchRunner() {
  stop();
}

void BatchRunner::start(Handler handle, std::function<bool(const std::string&)> live) {
  lock_ = only_server(lock_path_);
  if (!lock_) {
    log_warn("another server runs the batches of this store; this one takes none");
    return;
  }
  handle_ = std::move(handle);
  live_ = std::move(live);
  inbox_->reopen();
  thread_ = std::thread([this] { run(); });
}

void BatchRunner::stop() {
  inbox_->close();
  if (thread_.joinable()) thread_.join();
  lock_.reset();
}

json::object BatchRunner::create(const std::string& owner, const std::string& endpoint,
                                 const std::string& input_file, json::object metadata,
                                 const BatchKind& kind) {
  if (!lock_) {
    throw Error(Code::failed_precondition, "another server runs the batches of this store",
                "ask that one, or stop it and start this one again");
  }
  const int64_t now = now_s();
  files_.get(owner, input_file, now);
  json::object data{{"endpoint", endpoint},        {"errors", nullptr},
                    {"input_file_id", input_file}, {"completion_window", "24h"},
                    {"output_file_id", nullptr},   {"error_file_id", nullptr},
                    {"created_at", now},           {"expires_at", now + kBatchWindowS}};
  for (const char* each : {"in_progress_at", "finalizing_at", "completed_at", "failed_at",
                           "expired_at", "cancelling_at", "cancelled_at"}) {
    data[each] = nullptr;
  }
  if (metadata.empty()) {
    data["metadata"] = nullptr;
  } else {
    data["metadata"] = std::move(metadata);
  }
  if (!kind.name.empty()) {
    data["headers"] = kind.headers;
    data["total"] = kind.n_requests;
  }
  const Batch batch = store_.add(owner, std::move(data), kind.name);
  inbox_->wake();
  return store_.wire(batch);
}

json::object BatchRunner::cancel(const std::string& owner, const std::string& id,
                                 std::string_view kind) {
  Batch batch = store_.get(owner, id, kind);
  if (!store_.cancel(id, now_s())) {
    batch = store_.get(owner, id);
    if (batch.status != kCancelling) {
      throw Error(Code::failed_precondition,
                  fmt::format("the batch is {} and cannot be cancelled any more", batch.status));
    }
  }
  inbox_->wake();
  return store_.wire(store_.get(owner, id));
}

void BatchRunner::remove(const std::string& owner, const std::string& id, std::string_view kind) {
  const Batch batch = store_.get(owner, id, kind);
  if (!has_ended(batch)) {
    throw NotYet(fmt::format("the batch is {} and cannot be deleted yet", batch.status),
                 "cancel it, and wait until it has ended");
  }
  for (const char* each : {"input_file_id", "output_file_id", "error_file_id"}) {
    const json::value& file = batch.data.at(each);
    if (file.is_string()) files_.remove(owner, std::string_view(file.get_string()));
  }
  store_.remove(id);
}

void BatchRunner::run() {
  while (!inbox_->closed()) {
    try {
      const auto batch = store_.oldest_unfinished();
      if (batch) {
        run(*batch);
      } else {
        inbox_->wait_for_work();
      }
    } catch (const std::exception& error) {
      log_error("a batch could not go on, it is tried again: {}", error.what());
      inbox_->pause(std::chrono::milliseconds(limits_.retry_pause_ms));
    }
  }
}

void BatchRunner::run(Batch batch) {
  BatchInput input;
  if (!prepare(batch, input)) return;
  answer_all(batch, input);
  if (inbox_->closed()) return;
  batch = store_.get(batch.owner, batch.id);
  try {
    finish(batch, input);
  } catch (const Error& error) {  // no room for the files: what was answered stays in the database
    fail(batch, {failure("output", error)});
  }
}

void BatchRunner::fail(Batch batch, json::array errors) {
  batch.data["errors"] = json::object{{"object", "list"}, {"data", std::move(errors)}};
  batch.data["failed_at"] = now_s();
  batch.status = "failed";
  store_.update(batch);
}

// Reads the file and looks at each line. False: the batch has failed.
bool BatchRunner::prepare(Batch& batch, BatchInput& input) {
  const std::string file(batch.data.at("input_file_id").as_string());
  try {
    input = read_batch_input(files_.read(files_.get(batch.owner, file, now_s())),
                             batch.data.at("endpoint").as_string());
  } catch (const Error& error) {
    input.errors.push_back(failure("file", error));
  }
  if (!input.errors.empty()) {
    fail(std::move(batch), std::move(input.errors));
    return false;
  }
  batch.data["total"] = input.requests.size();
  if (batch.data.at("in_progress_at").is_null()) batch.data["in_progress_at"] = now_s();
  store_.set_data(batch);
  store_.move(batch.id, "validating", kInProgress);
  return true;
}

bool BatchRunner::is_over(const Batch& batch) {
  if (!is_live(batch)) store_.cancel(batch.id, now_s());
  return store_.get(batch.owner, batch.id).status != kInProgress ||
         now_s() >= batch.data.at("expires_at").as_int64();
}

// Where everybody else is busy it comes again for as long as the batch lasts.
bool BatchRunner::asks_again(const BatchResult& result, std::map<size_t, int32_t>& tries) const {
  const int status = result.response.status;
  return status == 503 || (status == 429 && ++tries[result.request] < limits_.max_tries);
}

// Until every line is answered, or the batch is over or has too many answers, or the server stops.
void BatchRunner::answer_all(const Batch& batch, const BatchInput& input) {
  const auto done = store_.answer_sizes(batch.id);
  int64_t bytes = 0;
  for (const auto& [line, size] : done) bytes += size;
  std::map<size_t, int32_t> tries;
  std::deque<size_t> left;
  for (size_t i = 0; i < input.requests.size(); ++i) {
    if (!done.contains(static_cast<int64_t>(i))) left.push_back(i);
  }
  std::map<size_t, Asked> under_way;
  inbox_->clear();
  bool pausing = false;
  while (!inbox_->closed() && !is_over(batch) && bytes <= limits_.max_answer_bytes &&
         !(left.empty() && under_way.empty())) {
    while (!pausing && !left.empty() && under_way.size() < kBatchRequestsAtOnce) {
      under_way.emplace(left.front(), ask(batch, input, left.front()));
      left.pop_front();
    }
    pausing = false;
    const auto result = inbox_->next(std::chrono::milliseconds(limits_.retry_pause_ms));
    if (!result || !under_way.erase(result->request)) continue;
    const auto line = static_cast<int64_t>(result->request);
    if (asks_again(*result, tries)) {
      left.push_back(result->request);
      pausing = true;
      continue;
    }
    const BatchLine answered{
        result->response.status < 400,
        answered_line(batch.id, line, input.requests[result->request].custom_id, result->response)};
    store_.record(batch.id, line, answered);
    bytes += static_cast<int64_t>(answered.text.size());
  }
}

BatchRunner::Asked BatchRunner::ask(const Batch& batch, const BatchInput& input, size_t request) {
  Request sent;
  sent.id = batch_request_id(batch.id, static_cast<int64_t>(request));
  sent.method = "POST";
  sent.path = sent.target = std::string(batch.data.at("endpoint").as_string());
  sent.headers.add("content-type", "application/json");
  if (const json::value* more = batch.data.if_contains("headers")) {
    for (const auto& [name, value] : more->as_object()) {
      sent.headers.add(std::string(name), std::string(value.as_string()));
    }
  }
  sent.owner = batch.owner;
  sent.is_batch = true;
  sent.peer = "batch";
  sent.body = input.requests[request].body;
  const auto exchange = std::make_shared<LineExchange>(
      std::move(sent),
      [inbox = inbox_, request](Response response) { inbox->put({request, std::move(response)}); });
  Asked asked(exchange);
  handle_(exchange);
  return asked;
}

std::string BatchRunner::add_output(const Batch& batch, std::string_view kind,
                                    const std::string& content) {
  StoredFile file{.id = output_id(batch.id, kind),
                  .owner = batch.owner,
                  .name = fmt::format("{}_{}.jsonl", batch.id, kind),
                  .purpose = "batch_output",
                  .created = now_s()};
  return files_.add(std::move(file), content).id;
}

// Writes the files; lines that were not answered say why in the error file.
void BatchRunner::finish(Batch batch, const BatchInput& input) {
  const bool cancelled = batch.status == kCancelling;
  if (cancelled && !is_live(batch)) {
    const Error gone(Code::permission_denied, "the key of this batch was revoked or has expired");
    batch.data["errors"] =
        json::object{{"object", "list"}, {"data", json::array{failure("key_revoked", gone)}}};
  }
  const auto lines = store_.lines(batch.id);
  int64_t bytes = 0;
  for (const auto& [line, answer] : lines) bytes += static_cast<int64_t>(answer.text.size());
  const bool full = bytes > limits_.max_answer_bytes;
  const bool unmade = !cancelled && lines.size() < input.requests.size();
  std::string output, errors;
  int64_t n_ok = 0, n_failed = 0, n_unmade = 0;
  for (size_t i = 0; i < input.requests.size(); ++i) {
    const auto line = static_cast<int64_t>(i);
    const auto answered = lines.find(line);
    if (answered != lines.end()) {
      (answered->second.ok ? n_ok : n_failed) += 1;
      (answered->second.ok ? output : errors) += answered->second.text + "\n";
    } else if (unmade) {
      ++n_failed, ++n_unmade;
      errors += unmade_line(batch.id, line, input.requests[i].custom_id,
                            full ? "output_too_large" : "batch_expired",
                            full ? fmt::format("the answers before have {} bytes, the limit is {}",
                                               bytes, limits_.max_answer_bytes)
                                 : "the batch ended before this request was made") +
                "\n";
    }
  }
  if (batch.data.at("finalizing_at").is_null()) batch.data["finalizing_at"] = now_s();
  if (!output.empty()) batch.data["output_file_id"] = add_output(batch, "output", output);
  if (!errors.empty()) batch.data["error_file_id"] = add_output(batch, "error", errors);
  batch.data["request_counts"] =
      json::object{{"total", input.requests.size()}, {"completed", n_ok}, {"failed", n_failed}};
  batch.data["unmade"] = n_unmade;
  if (cancelled && batch.data.at("cancelling_at").is_null()) batch.data["cancelling_at"] = now_s();
  batch.status = cancelled ? "cancelled" : unmade && !full ? "expired" : "completed";
  batch.data[batch.status + "_at"] = now_s();
  store_.update(batch);
  store_.forget_lines(batch.id);
}

}  // namespace strata::api
