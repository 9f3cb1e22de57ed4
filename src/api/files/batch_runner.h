// Makes the requests of batches, one batch after the other, behind everybody who waits for an
// answer. What was answered is in the database at once: a killed process goes on where it was.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "api/files/batch_lines.h"
#include "api/files/batch_store.h"
#include "api/files/file_store.h"
#include "api/files/line_exchange.h"
#include "core/os.h"

namespace strata::api {

// Nothing of it is answered any more.
bool has_ended(const Batch& batch);

constexpr size_t kBatchRequestsAtOnce = 4;
constexpr int64_t kBatchWindowS = 24 * 3600;

struct BatchLimits {
  int64_t retry_pause_ms = 1'000;  // after an answer that asks to come again
  int32_t max_tries = 30;          // of a line that is answered 429: it may always need too much
  // Of the answers of one batch, which are in memory when its files are written. Lines behind them
  // are not asked.
  int64_t max_answer_bytes = int64_t{256} << 20;
};

// A batch of another interface than /v1/batches.
struct BatchKind {
  std::string name = {};
  json::object headers = {};  // that each of its requests carries
  int64_t n_requests = 0;
};

class BatchRunner {
 public:
  // The lock's file lies beside the database: of several servers over one store one runs batches.
  BatchRunner(const std::filesystem::path& database, FileStore& files,
              std::function<int64_t()> now_ms, BatchLimits limits = {},
              const KeepLimits& keep = {});
  ~BatchRunner();  // stop()
  BatchRunner(const BatchRunner&) = delete;
  BatchRunner& operator=(const BatchRunner&) = delete;

  // `handle` answers a request as the server would. Goes on with what an earlier process left. A
  // batch is cancelled once its owner is not `live` any more; null: all are.
  void start(Handler handle, std::function<bool(const std::string& owner)> live = {});
  void stop();  // what is under way is made again another time

  // Errors: not_found (the file), invalid_argument, resource_exhausted, failed_precondition
  // (another server runs the batches of this store).
  json::object create(const std::string& owner, const std::string& endpoint,
                      const std::string& input_file, json::object metadata,
                      const BatchKind& kind = {});
  // Error{not_found}; Error{failed_precondition}: it has ended.
  json::object cancel(const std::string& owner, const std::string& id, std::string_view kind = {});
  // With its files. Error{not_found}; Error{failed_precondition}: it has not ended.
  void remove(const std::string& owner, const std::string& id, std::string_view kind);
  const BatchStore& store() const { return store_; }

 private:
  // A request under way; given up where this goes.
  struct Asked {
    std::shared_ptr<LineExchange> exchange;
    explicit Asked(std::shared_ptr<LineExchange> asked) : exchange(std::move(asked)) {}
    Asked(Asked&&) = default;
    Asked& operator=(Asked&&) = default;
    ~Asked() {
      if (exchange) exchange->release();
    }
  };

  void run();
  void run(Batch batch);
  bool prepare(Batch& batch, BatchInput& input);
  void answer_all(const Batch& batch, const BatchInput& input);
  bool asks_again(const BatchResult& result, std::map<size_t, int32_t>& tries) const;
  Asked ask(const Batch& batch, const BatchInput& input, size_t request);
  void finish(Batch batch, const BatchInput& input);
  void fail(Batch batch, json::array errors);
  std::string add_output(const Batch& batch, std::string_view kind, const std::string& content);
  bool is_live(const Batch& batch) const { return !live_ || live_(batch.owner); }
  bool is_over(const Batch& batch);  // cancelled, expired, or its owner is gone
  int64_t now_s() const { return now_ms_() / 1000; }

  FileStore& files_;
  BatchStore store_;
  const std::function<int64_t()> now_ms_;
  const BatchLimits limits_;
  const std::filesystem::path lock_path_;
  std::optional<FileLock> lock_;
  Handler handle_;
  std::function<bool(const std::string&)> live_;
  const std::shared_ptr<BatchInbox> inbox_;
  std::thread thread_;
};

}  // namespace strata::api
