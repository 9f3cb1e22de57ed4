#include "api/gateway/model_manager.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>

#include "api/store_errors.h"
#include "core/check.h"
#include "core/log.h"
#include "core/os.h"
#include "inference/packed_disk.h"
#include "inference/prefix_folder.h"

namespace strata::api {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// Who waits for a model at work and goes holds up those behind him for so long.
constexpr std::chrono::milliseconds kGonePause(100);

bool is_due(const LoadedModel& model, int64_t now) {
  if (model.uses > 0) return false;
  if (model.unload_wanted) return true;
  return model.keep_alive_ms >= 0 && now - model.idle_since_ms >= model.keep_alive_ms;
}

// Loaded from what its name stands for now.
bool is_current(const LoadedModel& model, const ModelManager::Wish& wish) {
  return model.manifest.digest() == wish.manifest.digest() &&
         model.manifest.created == wish.manifest.created;
}

// What a wish is loaded with: never less than the settings give, so that one caller's small wish
// takes nothing from the others. A request's own limit is kept by context_limit.
int32_t context_for(int32_t wished, int32_t settings, int32_t trained) {
  const int32_t own = settings > 0 ? settings : std::min(trained, kMaxDefaultContext);
  return std::max(own, wished);
}

// More than it was trained on is given to nobody, so nothing is done to get it.
int32_t possible_context(int32_t wished, int32_t settings, int32_t trained) {
  return std::min(context_for(wished, settings, trained), trained);
}

int32_t possible_context(const LoadedModel& model, const ModelManager::Wish& wish) {
  return possible_context(wish.context, model.settings_context, model.model->spec.n_context);
}

Error nobody_waits() {
  return Error(Code::cancelled, "nobody waits for this model any more");
}

// Never below kMinTokenBytes: a word that a vocabulary does not know may be one token too.
int64_t longest_token(const models::Tokenizer& tokenizer) {
  constexpr size_t kMinTokenBytes = 64;
  size_t longest = kMinTokenBytes;
  for (models::TokenId id = 0; id < tokenizer.n_vocab(); ++id) {
    longest = std::max(longest, tokenizer.piece(id, true).size());
  }
  return static_cast<int64_t>(longest);
}

}  // namespace

ModelManager::ModelManager(LocalOptions options)
    : options_(std::move(options)),
      store_((options_.store.empty() ? models::Store() : models::Store(options_.store))
                 .waiting_while([this] { return !stopping_; })),
      worker_([this] { work(); }) {}

ModelManager::~ModelManager() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  worker_.join();
  // Engines go before the map that their last uses are given back to.
  for (auto& [name, model] : loaded_) model->engine.reset();
}

bool ModelManager::fits(const Wish& wish) const {
  const auto found = loaded_.find(wish.manifest.name);
  if (found == loaded_.end()) return false;
  const LoadedModel& model = *found->second;
  return is_current(model, wish) && model.engine->context() >= possible_context(model, wish);
}

bool ModelManager::is_at_work(const Wish& wish) const {
  const auto found = loaded_.find(wish.manifest.name);
  return found != loaded_.end() && found->second->uses > 0 && !fits(wish);
}

int32_t ModelManager::n_waiting_for(const std::string& name) const {
  return static_cast<int32_t>(
      std::ranges::count_if(jobs_, [&](const Job& job) { return job.wish.manifest.name == name; }));
}

std::unique_ptr<ModelManager::Use> ModelManager::use_locked(const Wish& wish) {
  if (!fits(wish)) return nullptr;
  LoadedModel& model = *loaded_.at(wish.manifest.name);
  if (wish.keep_alive_ms) model.keep_alive_ms = *wish.keep_alive_ms;
  model.unload_wanted = false;
  ++model.uses;
  return std::make_unique<Use>(this, &model);
}

std::unique_ptr<ModelManager::Use> ModelManager::use_if_loaded(const Wish& wish) {
  const std::lock_guard lock(mutex_);
  const std::string& name = wish.manifest.name;
  return loading_ == name || n_waiting_for(name) > 0 ? nullptr : use_locked(wish);
}

void ModelManager::load(Wish wish, Ready ready) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) throw Error(Code::unavailable, "the server is stopping");
    if (static_cast<int32_t>(jobs_.size()) >= std::max(options_.max_queue, 1)) {
      throw Error(Code::unavailable,
                  fmt::format("{} requests wait for a model to be loaded or idle", jobs_.size()),
                  "try again soon, or raise server.max_queue");
    }
    jobs_.push_back({std::move(wish), std::move(ready)});
  }
  wake_.notify_all();
}

void ModelManager::release(LoadedModel* model) {
  {
    const std::lock_guard lock(mutex_);
    --model->uses;
    model->idle_since_ms = now();
  }
  wake_.notify_all();
}

bool ModelManager::unload(const std::string& full_name) {
  {
    const std::lock_guard lock(mutex_);
    bool known = full_name == loading_;
    if (known) unload_loading_ = true;
    for (Job& job : jobs_) {
      if (job.wish.manifest.name != full_name) continue;
      job.unload = true;
      known = true;
    }
    if (const auto found = loaded_.find(full_name); found != loaded_.end()) {
      found->second->unload_wanted = true;
      known = true;
    }
    if (!known) return false;
  }
  wake_.notify_all();
  return true;
}

int64_t ModelManager::now() const {
  if (options_.now_ms) return options_.now_ms();
  return static_cast<int64_t>(monotonic_ns() / 1'000'000);
}

int64_t ModelManager::next_expiry_ms() const {
  int64_t next = kNever;
  for (const auto& [name, model] : loaded_) {
    if (model->uses > 0) continue;
    if (model->unload_wanted) return 0;
    if (model->keep_alive_ms >= 0) {
      next = std::min(next, model->idle_since_ms + model->keep_alive_ms);
    }
  }
  return next;
}

std::vector<std::unique_ptr<LoadedModel>> ModelManager::take_expired(int64_t time) {
  std::vector<std::unique_ptr<LoadedModel>> expired;
  for (auto it = loaded_.begin(); it != loaded_.end();) {
    if (is_due(*it->second, time)) {
      log_info("unloading {}", it->first);
      expired.push_back(std::move(it->second));
      it = loaded_.erase(it);
    } else {
      ++it;
    }
  }
  return expired;
}

void ModelManager::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (auto expired = take_expired(now()); !expired.empty()) {
      lock.unlock();
      expired.clear();
      lock.lock();
      continue;
    }
    if (const auto next = next_job(); next != jobs_.end()) {
      Job job = std::move(*next);
      jobs_.erase(next);
      loading_ = job.wish.manifest.name;
      unload_loading_ = job.unload;
      lock.unlock();
      run_job(std::move(job));
      lock.lock();
      loading_.clear();
      continue;
    }
    const int64_t expiry = next_expiry_ms();
    if (!jobs_.empty()) {  // for models at work
      wake_.wait_for(lock, kGonePause);
      find_gone(lock);
    } else if (expiry == kNever) {
      wake_.wait(lock);
    } else {
      wake_.wait_for(lock, std::chrono::milliseconds(std::max<int64_t>(expiry - now(), 0) + 1));
    }
  }
  std::deque<Job> rest = std::move(jobs_);
  lock.unlock();
  const Error error(Code::unavailable, "the server is stopping");
  for (auto& job : rest) job.ready(nullptr, 0, &error);
}

std::deque<ModelManager::Job>::iterator ModelManager::next_job() {
  std::set<std::string_view> awaited;
  for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
    const std::string& name = job->wish.manifest.name;
    if (job->gone || (!awaited.contains(name) && !is_at_work(job->wish))) return job;
    awaited.insert(name);
  }
  return jobs_.end();
}

void ModelManager::find_gone(std::unique_lock<std::mutex>& lock) {
  std::vector<Job*> waiting;  // new ones come behind them; nobody else takes any out
  for (Job& job : jobs_) waiting.push_back(&job);
  lock.unlock();
  for (Job* job : waiting) job->gone = job->wish.still_wanted && !job->wish.still_wanted();
  lock.lock();
}

void ModelManager::run_job(Job job) {
  const uint64_t start = monotonic_ns();
  try {
    int64_t load_ns = 0;
    if (job.gone) throw nobody_waits();
    std::unique_ptr<Use> use;
    {
      const std::lock_guard lock(mutex_);
      use = use_locked(job.wish);  // somebody else's wish may have loaded it meanwhile
    }
    if (!use) {
      use = load_now(job.wish);
      load_ns = static_cast<int64_t>(monotonic_ns() - start);
      log_info("loaded {} in {} ms, kernels {}, keys and values {}", job.wish.manifest.name,
               load_ns / 1'000'000, use->model().engine->kernels(),
               tensor::kv_format_name(options_.kv));
    }
    {
      const std::lock_guard lock(mutex_);
      if (unload_loading_) use->model().unload_wanted = true;
      loading_.clear();  // from here on it can be had without waiting
    }
    job.ready(std::move(use), load_ns, nullptr);
  } catch (const Error& error) {
    job.ready(nullptr, 0, &error);
  } catch (const std::exception& other) {
    const Error error(Code::internal, other.what());
    job.ready(nullptr, 0, &error);
  }
}

std::unique_ptr<ModelManager::Use> ModelManager::load_now(const Wish& wish) {
  if (wish.still_wanted && !wish.still_wanted()) {
    throw nobody_waits();
  }
  make_room(wish);
  auto loaded = open(wish);
  const std::lock_guard lock(mutex_);
  loaded->uses = 1;
  LoadedModel* model = loaded.get();
  loaded_[wish.manifest.name] = std::move(loaded);
  return std::make_unique<Use>(this, model);
}

// Takes out the model's own smaller or outdated copy, and the longest idle ones beyond the limit.
void ModelManager::make_room(const Wish& wish) {
  std::vector<std::unique_ptr<LoadedModel>> leaving;
  const std::lock_guard lock(mutex_);
  if (const auto own = loaded_.find(wish.manifest.name); own != loaded_.end()) {
    CHECK(own->second->uses == 0);  // next_job() saw to it, and since then nobody gets one
    leaving.push_back(std::move(own->second));
    loaded_.erase(own);
  }
  while (static_cast<int32_t>(loaded_.size()) >= std::max(options_.max_models, 1)) {
    auto oldest = take_longest_idle();
    if (!oldest) {
      throw Error(Code::unavailable,
                  fmt::format("{} models are in memory, all at work", loaded_.size()),
                  "try again soon, or raise server.max_models");
    }
    leaving.push_back(std::move(oldest));
  }
}

int32_t ModelManager::settings_context(const inference::GenerationDefaults& defaults) const {
  const int32_t own = defaults.num_ctx.value_or(0);
  return own > 0 ? own : std::max(options_.context, 0);
}

int32_t ModelManager::own_context(const models::Manifest& manifest, int32_t trained) const {
  const auto defaults = inference::parse_parameters(manifest.overrides.parameters);
  return possible_context(0, settings_context(defaults), trained);
}

std::unique_ptr<LoadedModel> ModelManager::open(const Wish& wish) {
  auto loaded = std::make_unique<LoadedModel>();
  loaded->manifest = wish.manifest;
  try {
    loaded->model = models::load_model(store_.model_path(wish.manifest), wish.manifest.name,
                                       wish.manifest.overrides);
  } catch (const Error& error) {
    if (stopping_) throw Error(Code::unavailable, "the server is stopping");
    throw unreadable_model(error, wish.manifest, store_.root());
  }
  loaded->defaults = inference::generation_defaults(*loaded->model);
  loaded->keep_alive_ms = wish.keep_alive_ms.value_or(options_.keep_alive_ms);
  inference::EngineOptions engine;
  engine.n_threads = options_.n_threads;
  loaded->longest_token_bytes = longest_token(*loaded->model->tokenizer);
  loaded->settings_context = settings_context(loaded->defaults);
  const int32_t wanted =
      context_for(wish.context, loaded->settings_context, loaded->model->spec.n_context);
  engine.context = possible_context(*loaded, wish);
  if (wanted > engine.context) {
    log_warn("{}: a context of {} was asked for, the model was trained on {}: using {}",
             loaded->model->name, wanted, engine.context, engine.context);
  }
  engine.max_batch = options_.max_parallel;
  engine.max_queue = options_.max_queue;
  engine.float32 = options_.float32;
  engine.kv = options_.kv;
  const auto still_there = [this, name = wish.manifest.name] {
    return store_.try_find(name).has_value();
  };
  engine.disk = {.folder = inference::PrefixFolder(store_).path(),
                 .model = wish.manifest.name,
                 .weights = wish.manifest.digest(),
                 .max_bytes = static_cast<uint64_t>(options_.cache_disk_bytes),
                 .still_there = still_there};
  engine.packed = {.folder = inference::PackedFolder(store_).path(),
                   .model = wish.manifest.name,
                   .weights = wish.manifest.digest(),
                   .max_bytes = static_cast<uint64_t>(options_.cache_packed_bytes),
                   .still_there = still_there};
  const auto need = inference::foretell_memory(loaded->model->spec, *loaded->model->file,
                                               engine.context, engine.kv);
  make_memory(wish, *loaded->model, need, engine.context);
  loaded->memory_bytes = need.total();
  try {
    loaded->engine = inference::Engine::create(loaded->model, engine);
  } catch (const Error& error) {
    if (error.code() != Code::resource_exhausted) throw;
    throw Error(Code::unavailable, error.message(), error.hint());  // as make_memory() says it
  }
  return loaded;
}

std::vector<RunningModel> ModelManager::running() const {
  const std::lock_guard lock(mutex_);
  std::vector<RunningModel> rows;
  for (const auto& [name, model] : loaded_) {
    if (model->unload_wanted && model->uses == 0) continue;  // the worker is about to take it out
    RunningModel row;
    row.card.name = name;
    row.card.digest = model->manifest.digest();
    row.card.size_bytes = static_cast<int64_t>(model->manifest.size_bytes());
    row.memory_bytes = model->memory_bytes;
    row.context = model->engine->context();
    row.stats = model->engine->stats();
    row.running = row.stats.running;
    row.max_running = options_.max_parallel;
    row.queued = row.stats.queued + n_waiting_for(name);
    if (model->uses == 0 && model->keep_alive_ms >= 0) {
      row.idle_until_ms =
          unix_seconds() * 1000 + model->idle_since_ms + model->keep_alive_ms - now();
    }
    rows.push_back(std::move(row));
  }
  if (!loading_.empty() && !loaded_.contains(loading_)) {
    RunningModel row;
    row.card.name = loading_;
    row.queued = n_waiting_for(loading_);
    row.loading = true;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace strata::api
