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

#include "api/kept.h"
#include "core/db.h"
#include "core/json.h"

namespace strata::api {

constexpr int64_t kMaxUnfinishedBatches = 100;  // of one owner

struct Batch {
  std::string id;  // "batch_…"
  std::string owner;
  std::string status;
  json::object data;      // as clients see it, but for its id, status and the counts of lines
  std::string kind = {};  // "": what /v1/batches made; else another interface's, which only it sees
};

struct BatchLine {
  bool ok = false;
  std::string text;  // of the output file or of the error file, without the line end
};

// Any thread may call.
class BatchStore {
 public:
  explicit BatchStore(const std::filesystem::path& database, const KeepLimits& limits = {});

  // Its id begins with the kind, or with "batch". Error{resource_exhausted}: kMaxUnfinishedBatches,
  // or the owner keeps too much.
  Batch add(std::string owner, json::object data, std::string kind = {});
  // Error{not_found}: also of another kind.
  Batch get(std::string_view owner, std::string_view id, std::string_view kind) const;
  Batch get(std::string_view owner, std::string_view id) const;  // whatever its kind
  void remove(std::string_view id);                              // with its lines
  void update(const Batch& batch);
  void set_data(const Batch& batch);  // its status stays what it has become
  // From one of these states to another; false where it was in none of them.
  bool move(std::string_view id, std::string_view from, std::string_view to);
  // Of one that has not ended: "cancelling", since now. False: it has ended or is cancelled
  // already.
  bool cancel(std::string_view id, int64_t now_s);
  std::optional<Batch> oldest_unfinished() const;
  // Newest first, behind the one with the id `after`; one more than the limit where there are more.
  std::vector<Batch> list(std::string_view owner, std::string_view after, int64_t limit,
                          std::string_view kind = {}) const;

  void record(std::string_view id, int64_t line, const BatchLine& answer);  // once a line
  std::map<int64_t, BatchLine> lines(std::string_view id) const;
  // Which lines are answered, with the bytes of each answer.
  std::map<int64_t, int64_t> answer_sizes(std::string_view id) const;
  void forget_lines(std::string_view id);  // they stand in files now
  // The whole object: data without what is only the runner's, id, status, request_counts.
  json::object wire(const Batch& batch) const;

 private:
  const int64_t owner_bytes_;
  mutable std::mutex mutex_;
  mutable Database database_;
};

}  // namespace strata::api
