// Which models are in memory: loads them on demand, keeps them while they are used and a while
// after, unloads them. One worker thread of its own loads and unloads; nothing else ever does.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/gateway/local.h"
#include "inference/defaults.h"
#include "inference/engine.h"
#include "inference/memory.h"
#include "models/hub/store.h"

namespace strata::api {

// A model in memory. Owned by the manager, which keeps it while somebody uses it.
struct LoadedModel {
  models::Manifest manifest;
  std::shared_ptr<const models::Model> model;
  inference::GenerationDefaults defaults;
  std::unique_ptr<inference::Engine> engine;
  int64_t memory_bytes = 0;
  int64_t longest_token_bytes = 0;  // no text has fewer tokens than its bytes divided by this
  int32_t settings_context = 0;     // what the manifest or the server wants; 0: nothing
  int32_t uses = 0;                 // this and the next three: under the manager's lock
  int64_t keep_alive_ms = 0;
  int64_t idle_since_ms = 0;
  bool unload_wanted = false;
};

class ModelManager {
 public:
  explicit ModelManager(LocalOptions options);
  ~ModelManager();  // cancels what runs, unloads everything

  // While one lives its model stays in memory.
  class Use {
   public:
    Use(ModelManager* manager, LoadedModel* model) : manager_(manager), model_(model) {}
    ~Use() { manager_->release(model_); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    LoadedModel& model() const { return *model_; }

   private:
    ModelManager* manager_;
    LoadedModel* model_;
  };

  struct Wish {
    models::Manifest manifest;
    int32_t context = 0;                   // at least; 0: what the settings give
    std::optional<int64_t> keep_alive_ms;  // for this model from now on
    // Asked on the worker: before loading begins, and from time to time while the wish waits for
    // its model to be idle; empty: yes.
    std::function<bool()> still_wanted{};
  };
  // Called once: with the model, or with why not; load_ns is what loading took, 0 when it was
  // there.
  using Ready = std::function<void(std::unique_ptr<Use> use, int64_t load_ns, const Error* error)>;

  // The model when it is in memory and large enough, and nobody waits for it; else null. Cheap.
  std::unique_ptr<Use> use_if_loaded(const Wish& wish);
  // Loads it on the worker thread where needed; `ready` is called there. A model at work with a
  // smaller context, or with weights that were replaced in the store, is first left to become idle:
  // what comes for it later waits behind, so that this comes to an end; wishes for other models
  // go ahead. Error{unavailable} when max_queue wishes are waiting.
  void load(Wish wish, Ready ready);

  std::vector<RunningModel> running() const;
  // One that waits or is being loaded goes when its answer has ended. False: not here.
  bool unload(const std::string& full_name);
  // Positions that a model trained for so many is given where no request asks for more.
  int32_t own_context(const models::Manifest& manifest, int32_t trained) const;
  const models::Store& store() const { return store_; }

 private:
  struct Job {
    Wish wish;
    Ready ready;
    bool unload = false;  // asked for while it waited: afterwards it goes at once
    bool gone = false;    // nobody waits for it any more; the worker's own
  };
  void work();
  void run_job(Job job);
  std::unique_ptr<Use> load_now(const Wish& wish);
  // These five under the lock.
  int32_t n_waiting_for(const std::string& name) const;
  bool fits(const Wish& wish) const;        // a model in memory is what is wished
  bool is_at_work(const Wish& wish) const;  // one is there in its place, and used
  std::unique_ptr<Use> use_locked(const Wish& wish);
  // The first that need not wait for its model to be idle, nor behind one that does.
  std::deque<Job>::iterator next_job();
  // Asks those that wait whether somebody still waits for them; lets go of the lock meanwhile.
  void find_gone(std::unique_lock<std::mutex>& lock);
  void make_room(const Wish& wish);
  std::unique_ptr<LoadedModel> open(const Wish& wish);
  int32_t settings_context(const inference::GenerationDefaults& defaults) const;
  // Unloads the longest idle models until that much is free. Error{unavailable}, and none of them
  // goes, when all of them would not do.
  void make_memory(const Wish& wish, const models::Model& model, const inference::MemoryNeed& need,
                   int32_t context);
  std::unique_ptr<LoadedModel> take_longest_idle();  // under the lock; null: all are at work
  void release(LoadedModel* model);
  // Takes what is due out of the map; its destruction happens outside the lock.
  std::vector<std::unique_ptr<LoadedModel>> take_expired(int64_t time);
  int64_t next_expiry_ms() const;
  int64_t now() const;

  const LocalOptions options_;
  const models::Store store_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, std::unique_ptr<LoadedModel>> loaded_;  // by full name
  std::deque<Job> jobs_;
  std::string loading_;
  bool unload_loading_ = false;         // asked for while it was being loaded
  std::atomic<bool> stopping_ = false;  // written under the lock; ends waits for the store's
  std::thread worker_;
};

}  // namespace strata::api
