// The store's side of the server: which models there are, what each one is, and how they come, are
// copied, made and go. Dialects call it; every call may come from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/gateway/backend.h"
#include "core/json.h"
#include "models/hub/modelfile.h"
#include "models/parameters.h"

namespace strata::modify {
struct Mix;
}

namespace strata::api {

constexpr size_t kMaxLibraryJobs = 8;      // pulls and creates at once
constexpr size_t kMaxShownItems = 64;      // longer metadata arrays are told as null
constexpr size_t kMaxShownText = 1 << 20;  // longer metadata texts likewise

// Everything that is known about one model of the store.
struct ModelDetails {
  ModelCard card;
  models::Manifest manifest;    // system, messages, parent
  models::Parameters settings;  // PARAMETERs, the manifest's and those that only the file says
  std::string licence;          // the manifest's, else the file's
  std::string chat_template;    // Jinja source, the model's own or the one over it; "": none
  std::string modelfile;        // that would make it again
  json::object info;            // the file's metadata by its own keys; arrays too long are null
  int64_t n_weights = 0;
  json::array tensors;  // {"name", "type", "shape"}, when everything is asked for
};

class ModelLibrary {
 public:
  // store: empty for the user's.
  explicit ModelLibrary(const std::filesystem::path& store = {}, NetPolicy policy = {});
  ~ModelLibrary();  // stop(), and waits for the jobs' threads
  ModelLibrary(const ModelLibrary&) = delete;
  ModelLibrary& operator=(const ModelLibrary&) = delete;

  // Cancels the jobs and every wait for the store's lock, and takes no more jobs: what was under
  // way ends with Error{unavailable}. Does not wait for them; can be called again.
  void stop();

  // Sorted by name. A file that cannot be read has a card without family and size.
  std::vector<ModelCard> list() const;
  // Errors: not_found with "did you mean"; data_loss, also of a spoilt file. Reads the head of
  // the file: some milliseconds, more for a large vocabulary. `everything`: long arrays too, and
  // the tensors. No error of this class names a path of the store.
  ModelDetails show(std::string_view name, bool everything = false) const;
  void copy(std::string_view from, std::string_view to) const;  // Error{not_found}, unavailable
  void remove(std::string_view name) const;                     // Error{not_found}

  // A pull or a create at work; destroying it cancels it. What was fetched so far stays for the
  // next try.
  class Job {
   public:
    virtual ~Job() = default;
  };
  using Progress = std::function<void(const models::PullProgress&)>;
  // Called exactly once, last: with the manifest, or with why not.
  using Done = std::function<void(const models::Manifest* manifest, const Error* error)>;

  // On a thread of its own, which calls `progress` often and `done` once; the sinks own what they
  // touch, since a cancelled job may call them a few times more. Errors thrown at once:
  // invalid_argument (name), permission_denied (file: — over the network nobody names files of this
  // machine), unavailable (kMaxLibraryJobs are at work). Later ones are told to `done`.
  std::unique_ptr<Job> pull(const std::string& name, bool refresh, Progress progress, Done done);
  // `place`: a name with a registry in front (models/hub/registry.h), whose rest is the store's
  // model; what cannot be said there is told as a stage. Thrown at once: invalid_argument.
  std::unique_ptr<Job> push(const std::string& place, bool insecure, Progress progress, Done done);
  // Thrown at once also: invalid_argument (a parameter, a template that does not parse). `mix`,
  // when given, is what its matrices are written as, if they are not quantised yet.
  std::unique_ptr<Job> create(const std::string& name, models::Modelfile modelfile,
                              const modify::Mix* mix, Progress progress, Done done);

  // Makes the model `name` of `model` with its matrices as `type` says ("Q4_K_M"), giving way to
  // what else the machine does. Thrown at once also: not_found, already_exists, invalid_argument
  // (a type that there is not).
  std::unique_ptr<Job> quantize(const std::string& model, const std::string& type,
                                const std::string& name, Progress progress, Done done);

  const models::Store& store() const { return store_; }
  const NetPolicy& policy() const { return policy_; }  // of connections that it makes

 private:
  struct JobState;
  struct Worker {
    std::shared_ptr<JobState> state;
    std::thread thread;
  };
  using Work = std::function<models::Manifest(const models::PullOptions& options)>;
  class JobHandle;
  struct FileFacts {
    std::string family, parameter_size, quantization;
    bool has_template = false;
    // Of a file that cannot be read, when it was last written: until that changes it is not tried
    // again.
    std::optional<std::filesystem::file_time_type> unreadable_since{};
  };
  std::unique_ptr<Job> start(Work work, Progress progress, Done done);
  // What the work threw, as callers may hear it.
  Error told(const Error& error) const;
  // Runs work; its errors as callers may hear them.
  template <typename Action>
  auto telling(Action&& action) const;
  ModelCard card_of(const models::Manifest& manifest) const;
  std::shared_ptr<const models::ModelFile> open(const models::Manifest& manifest) const;
  models::Parameters settings_of(const models::Manifest& manifest,
                                 const models::ModelFile& file) const;
  FileFacts facts_of(const models::Manifest& manifest) const;

  const models::Store store_;
  const NetPolicy policy_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, FileFacts> facts_;  // by digest
  std::list<Worker> workers_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace strata::api
