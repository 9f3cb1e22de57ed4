// Batches of requests in the database: the batch as clients see it, and what each of its lines was
// answered, so that nothing that was done is lost with the process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/db.h"
#include "core/json.h"

namespace strata::api {

constexpr int64_t kMaxUnfinishedBatches = 100;  // of one owner

struct Batch {
  std::string id;  // "batch_…"
  std::string owner;
  std::string status;
  json::object data;  // as clients see it, but for its id, status and the counts of lines
};

struct BatchLine {
  bool ok = false;
  std::string text;  // of the output file or of the error file, without the line end
};

// Any thread may call.
class BatchStore {
 public:
  explicit BatchStore(const std::filesystem::path& database);

  // Error{resource_exhausted}: kMaxUnfinishedBatches.
  Batch add(std::string owner, json::object data);
  // Error{not_found}.
  Batch get(std::string_view owner, std::string_view id) const;
  void update(const Batch& batch);
  void set_data(const Batch& batch);  // its status stays what it has become
  // From one of these states to another; false where it was in none of them.
  bool move(std::string_view id, std::string_view from, std::string_view to);
  // Of one that has not ended: "cancelling", since now. False: it has ended or is cancelled
  // already.
  bool cancel(std::string_view id, int64_t now_s);
  std::optional<Batch> oldest_unfinished() const;
  // Newest first, behind the one with the id `after`; one more than the limit where there are more.
  std::vector<Batch> list(std::string_view owner, std::string_view after, int64_t limit) const;

  void record(std::string_view id, int64_t line, const BatchLine& answer);  // once a line
  std::map<int64_t, BatchLine> lines(std::string_view id) const;
  // Which lines are answered, with the bytes of each answer.
  std::map<int64_t, int64_t> answer_sizes(std::string_view id) const;
  void forget_lines(std::string_view id);  // they stand in files now
  // The whole object: data, id, status, request_counts.
  json::object wire(const Batch& batch) const;

 private:
  mutable std::mutex mutex_;
  mutable Database database_;
};

}  // namespace strata::api
