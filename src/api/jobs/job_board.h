// Work on the store that goes on whoever looks at it: models that are pulled, and such that are
// quantised. In memory: after a restart a pull that is asked for again resumes where it was.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/library.h"

namespace strata::api {

constexpr size_t kMaxJobs = 64;  // that are remembered; the oldest that has ended gives way

struct JobInfo {
  enum class Kind : uint8_t { pull, quantize };
  enum class State : uint8_t { running, paused, failed, done };
  std::string id{};
  Kind kind = Kind::pull;
  State state = State::running;
  std::string model{};           // that is pulled, or quantised
  std::string type{};            // "Q4_K_M", of a quantisation
  std::string name{};            // of the model that comes of it; of a pull only when it is done
  std::string stage{};           // as PullProgress has it
  uint64_t done = 0, total = 0;  // bytes; total 0: not known
  double bytes_per_second = 0;   // of late; 0: not known
  std::string error{}, hint{};   // of one that has failed
};

// Every call may come from any thread.
class JobBoard {
 public:
  explicit JobBoard(ModelLibrary& library);  // which outlives it
  ~JobBoard();                               // ends what runs; what was fetched stays
  JobBoard(const JobBoard&) = delete;
  JobBoard& operator=(const JobBoard&) = delete;

  std::vector<JobInfo> list() const;  // the newest first

  // A pull of that model that has not ended yet is taken up instead of begun again.
  // Errors: those of ModelLibrary::pull; resource_exhausted (kMaxJobs are under way).
  JobInfo pull(const std::string& model);
  // Errors: those of ModelLibrary::quantize; resource_exhausted.
  JobInfo quantize(const std::string& model, const std::string& type, const std::string& name);

  // What has come stays, for resume(). Error{not_found}; Error{failed_precondition}: it does not
  // run, or is a quantisation, which cannot go on from its middle.
  JobInfo pause(const std::string& id);
  // Of a pull that is paused or has failed. Errors: as pause() and pull().
  JobInfo resume(const std::string& id);
  // Takes it off the board; where it has not ended, ends it and deletes what has come so far.
  // Error{not_found}.
  void remove(const std::string& id);

 private:
  struct State;
  struct Entry;
  JobInfo run(const std::shared_ptr<Entry>& entry);
  std::shared_ptr<Entry> add(JobInfo info);
  std::shared_ptr<Entry> find(const std::string& id) const;

  ModelLibrary& library_;
  const std::shared_ptr<State> state_;  // jobs' threads may outlive the board
};

}  // namespace strata::api
