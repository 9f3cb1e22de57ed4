#include "inference/engine_thread.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <variant>

#include "core/check.h"
#include "core/error.h"
#include "core/log.h"
#include "inference/constraint/matchers.h"
#include "inference/embedder.h"
#include "inference/generation.h"
#include "inference/limits.h"
#include "inference/scheduler.h"

namespace strata::inference {
namespace {

struct Cancel {
  uint64_t id = 0;
};
struct Embed {
  Embed(uint64_t i, std::vector<EmbeddingInput> in, EmbeddingSink to)
      : id(i), inputs(std::move(in)), sink(std::move(to)) {}
  uint64_t id = 0;
  std::vector<EmbeddingInput> inputs;
  EmbeddingSink sink;
};
using Message = std::variant<std::unique_ptr<Generation>, std::unique_ptr<Embed>, Cancel>;

// What the callers' threads and the engine's thread share. Its lock is never held across a sink.
class Mailbox {
 public:
  explicit Mailbox(int32_t max_live) : max_live_(max_live) {}

  // Takes a place for one more request, or throws Error{unavailable}.
  void take_place() {
    const std::lock_guard lock(mutex_);
    if (n_live_ >= max_live_) {
      throw Error(
          Code::unavailable,
          fmt::format("{} requests are running or waiting, the limit is {}", n_live_, max_live_),
          "try again in a few seconds");
    }
    ++n_live_;
  }
  void free_place() {
    const std::lock_guard lock(mutex_);
    --n_live_;
  }

  // Under one lock with the number, so that the ids arrive in ascending order.
  template <typename Make>
  uint64_t submit(Make make) {
    const std::lock_guard lock(mutex_);
    if (stopping_) throw Error(Code::unavailable, "the engine is being unloaded", "try again");
    const uint64_t id = next_id_++;
    messages_.push_back(make(id));
    wake_.notify_one();
    return id;
  }
  void cancel(uint64_t id) {
    const std::lock_guard lock(mutex_);
    messages_.push_back(Cancel{id});
    wake_.notify_one();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }

  // All messages since the last call; waits for one when `park`. Sets `stopping`.
  std::vector<Message> collect(bool park, bool& stopping) {
    std::unique_lock lock(mutex_);
    if (park) wake_.wait(lock, [&] { return stopping_ || !messages_.empty(); });
    stopping = stopping_;
    return std::exchange(messages_, {});
  }

  void publish(const EngineStats& stats) {
    const std::lock_guard lock(mutex_);
    stats_ = stats;
  }
  EngineStats stats() const {
    const std::lock_guard lock(mutex_);
    EngineStats stats = stats_;
    stats.queued = std::max(0, n_live_ - stats.running);
    return stats;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Message> messages_;
  bool stopping_ = false;
  uint64_t next_id_ = 1;
  const int32_t max_live_;
  int32_t n_live_ = 0;
  EngineStats stats_;
};

// One request's place among the live ones; given back once.
class Place {
 public:
  explicit Place(std::shared_ptr<Mailbox> box) : box_(std::move(box)) { box_->take_place(); }
  ~Place() { free(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  void free() {
    if (!freed_.exchange(true)) box_->free_place();
  }
  bool freed() const { return freed_.load(); }

 private:
  std::shared_ptr<Mailbox> box_;
  std::atomic<bool> freed_ = false;
};

class EngineHandle : public Engine::Handle {
 public:
  EngineHandle(std::shared_ptr<Mailbox> box, std::shared_ptr<Place> place, uint64_t id)
      : box_(std::move(box)), place_(std::move(place)), id_(id) {}
  ~EngineHandle() override { EngineHandle::cancel(); }
  void cancel() override {
    if (!place_->freed()) box_->cancel(id_);
  }

 private:
  std::shared_ptr<Mailbox> box_;
  std::shared_ptr<Place> place_;
  uint64_t id_;
};

class ThreadedEngine : public Engine {
 public:
  ThreadedEngine(std::shared_ptr<const models::Model> model, std::unique_ptr<Executor> executor,
                 const EngineOptions& options, int32_t context)
      : model_(std::move(model)),
        context_(context),
        kernels_(executor->kernels()),
        n_choosable_(std::min(model_->spec.n_vocab, model_->tokenizer->n_vocab())),
        box_(std::make_shared<Mailbox>(options.max_batch + options.max_queue)),
        executor_(*executor),
        scheduler_(std::move(executor), model_->spec.n_vocab,
                   {options.max_batch, options.prefill_chunk, options.speculate}),
        embedder_(model_, executor_, kEmbeddingRows),
        matchers_(model_->tokenizer, n_choosable_) {
    box_->publish(scheduler_.stats());
    thread_ = std::thread([this] { work(); });
  }
  ~ThreadedEngine() override {
    CHECK(std::this_thread::get_id() != thread_.get_id());
    box_->stop();
    thread_.join();
    executor_.save_prefixes();
  }

  std::unique_ptr<Handle> submit(GenerateRequest request, Sink sink) override {
    refuse_silent(*model_);
    if (model_->spec.encoder) read_prompt(request, model_->spec.encoder->first_token);
    validate(request, *model_->tokenizer, n_choosable_, context_);
    auto breakers = breakers_of(request.sampler);
    const auto matcher = matchers_.find(request);
    auto place = std::make_shared<Place>(box_);
    Sink counted = [place, sink = std::move(sink)](Event&& event) {
      // The place is free before the caller hears of it, so that it may come back at once.
      if (event.kind == Event::Kind::finished) place->free();
      try {
        sink(std::move(event));
      } catch (...) {
        place->free();
        throw;
      }
    };
    const uint64_t id = box_->submit([&](uint64_t new_id) {
      return std::make_unique<Generation>(new_id, std::move(request), std::move(counted),
                                          model_->tokenizer, n_choosable_, context_,
                                          std::move(breakers), matcher);
    });
    return std::make_unique<EngineHandle>(box_, std::move(place), id);
  }

  std::unique_ptr<Handle> embed(std::vector<EmbeddingInput> inputs, EmbeddingSink sink) override {
    check_embedding_inputs(model_->spec, inputs, context_);
    auto place = std::make_shared<Place>(box_);
    EmbeddingSink counted = [place, sink = std::move(sink)](std::vector<Embedding>&& embeddings,
                                                            const Error* error) {
      place->free();
      try {
        sink(std::move(embeddings), error);
      } catch (const std::exception& thrown) {
        log_warn("vectors were not taken: {}", thrown.what());
      }
    };
    const uint64_t id = box_->submit([&](uint64_t new_id) {
      return std::make_unique<Embed>(new_id, std::move(inputs), std::move(counted));
    });
    return std::make_unique<EngineHandle>(box_, std::move(place), id);
  }

  const models::Model& model() const override { return *model_; }
  int32_t context() const override { return context_; }
  std::string_view kernels() const override { return kernels_; }
  EngineStats stats() const override { return box_->stats(); }

 private:
  void work() {
    bool stopping = false;
    while (!stopping) {
      for (Message& message : box_->collect(idle(), stopping)) take(message);
      if (stopping) {
        scheduler_.cancel_all();
        embedder_.cancel_all();
      }
      if (!scheduler_.idle()) scheduler_.step();
      if (!embedder_.idle()) embedder_.step();
      publish();
    }
  }

  void publish() {
    EngineStats stats = scheduler_.stats();
    stats.running += embedder_.n_begun();
    box_->publish(stats);
  }

  bool idle() const { return scheduler_.idle() && embedder_.idle(); }

  void take(Message& message) {
    if (const auto* cancel = std::get_if<Cancel>(&message)) {
      scheduler_.cancel(cancel->id);
      embedder_.cancel(cancel->id);
    } else if (auto* embed = std::get_if<std::unique_ptr<Embed>>(&message)) {
      embedder_.add((*embed)->id, std::move((*embed)->inputs), std::move((*embed)->sink));
    } else {
      scheduler_.add(std::move(std::get<std::unique_ptr<Generation>>(message)));
    }
  }

  // DRY's breakers need a walk of the vocabulary: on the caller's thread, and kept.
  std::shared_ptr<const DryBreakers> breakers_of(const SamplerParams& params) {
    constexpr size_t kKept = 8;
    if (params.dry_multiplier <= 0.0f) return nullptr;
    {
      const std::lock_guard lock(breakers_mutex_);
      const auto found = breakers_.find(params.dry_sequence_breakers);
      if (found != breakers_.end()) return found->second;
    }
    auto made = make_dry_breakers(*model_->tokenizer, params.dry_sequence_breakers);
    const std::lock_guard lock(breakers_mutex_);
    if (breakers_.size() >= kKept) breakers_.clear();
    breakers_[params.dry_sequence_breakers] = made;
    return made;
  }

  std::shared_ptr<const models::Model> model_;
  const int32_t context_;
  const std::string kernels_;
  const int32_t n_choosable_;  // ids that the vocabulary names: the head may have padding rows
  std::shared_ptr<Mailbox> box_;
  Executor& executor_;   // the scheduler's
  Scheduler scheduler_;  // the thread's own, as the next
  Embedder embedder_;
  Matchers matchers_;
  std::mutex breakers_mutex_;
  std::map<std::vector<std::string>, std::shared_ptr<const DryBreakers>> breakers_;
  std::thread thread_;
};

void require_range(std::string_view name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return;
  throw Error(Code::invalid_argument,
              fmt::format("{} is {}, it must be from {} to {}", name, value, least, most));
}

}  // namespace

void refuse_reader(const models::Model& model, std::string_view what) {
  if (!models::generates(model.spec)) {
    throw Error(Code::failed_precondition,
                fmt::format("{} makes vectors of text: {} of models that continue a text",
                            model.name, what),
                "choose a model that generates text");
  }
  if (!model.spec.encoder) return;
  throw Error(Code::failed_precondition,
              fmt::format("{} reads its prompt with an encoder and writes an answer: {} of models "
                          "that continue a text",
                          model.name, what),
              "choose a model without an encoder");
}

void refuse_silent(const models::Model& model) {
  if (models::generates(model.spec)) return;
  throw Error(Code::failed_precondition,
              fmt::format("{} makes vectors of text, it generates none", model.name),
              model.spec.scores ? "send it to /v1/rerank"
                                : "send it to /v1/embeddings or /api/embed, or strata embed");
}

void check_options(const EngineOptions& options) {
  require_range("max_batch", options.max_batch, 1, kMaxBatch);
  require_range("max_queue", options.max_queue, 0, kMaxQueue);
  require_range("prefill_chunk", options.prefill_chunk, 1, kMaxPrefillChunk);
  if (options.float32 && options.kv != tensor::KvFormat::bf16) {
    throw Error(Code::invalid_argument,
                fmt::format("the float32 executor keeps keys and values as floats, not as {}",
                            tensor::kv_format_name(options.kv)));
  }
}

std::unique_ptr<Engine> make_engine(std::shared_ptr<const models::Model> model,
                                    std::unique_ptr<Executor> executor,
                                    const EngineOptions& options, int32_t context) {
  check_options(options);
  require_range("context", context, 1, INT32_MAX);
  return std::make_unique<ThreadedEngine>(std::move(model), std::move(executor), options, context);
}

}  // namespace strata::inference
