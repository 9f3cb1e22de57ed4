#include "api/gateway/scripted.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "api/gateway/context_fit.h"
#include "api/gateway/scripted_plan.h"
#include "api/prompt/system_front.h"

namespace strata::api {
namespace {

using Clock = std::chrono::steady_clock;
using inference::Event;
using inference::FinishReason;

constexpr int64_t kTokenNs = 1'000'000;  // what usage reports; the real speed is the script's

struct Job {
  ChatRequest request;
  ChatSink sink;
  std::vector<std::string> prompt;
  std::vector<Plan> plans;
  size_t at = 0;  // token of every choice that comes next
  int prompt_steps = 0;
  Clock::duration token_pause{}, prompt_pause{};
  std::atomic<bool> cancelled = false;
  bool started = false;
  bool told_start = true, told_change = false;
  int32_t context = 0;
  std::shared_ptr<const ContextChange> change;  // told before the first token
};

class Scripted final : public Backend {
 public:
  explicit Scripted(ScriptedOptions options)
      : options_(std::move(options)), thread_([this] { run(); }) {}

  ~Scripted() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  std::string_view name() const override { return "scripted"; }
  bool serves(std::string_view model) const override { return find(model) != nullptr; }
  std::unique_ptr<Answer> start(ChatRequest request, ChatSink sink) override;
  std::unique_ptr<Answer> tokenize(ChatRequest request, TokensSink sink) override;
  std::vector<ModelCard> models() const override;
  std::vector<RunningModel> running() const override;
  bool unload(std::string_view) override { return false; }  // it is never loaded
  std::optional<ModelTraits> traits(std::string_view model) const override;
  std::string fetch(std::string_view what, const models::PullOptions&) override {
    throw model_not_found(what, models());
  }

 private:
  struct Running final : Answer {
    std::shared_ptr<Job> job;
    Scripted* backend = nullptr;
    std::weak_ptr<int> alive;
    ~Running() override {
      job->cancelled = true;
      if (alive.lock()) backend->changed_.notify_all();
    }
  };
  using Agenda = std::multimap<Clock::time_point, std::shared_ptr<Job>>;

  const ScriptedModel* find(std::string_view name) const {
    if (name.ends_with(":latest")) name.remove_suffix(7);
    const auto at = std::ranges::find(options_.models, name, &ScriptedModel::name);
    return at == options_.models.end() ? nullptr : &*at;
  }
  void run();
  bool step(Job& job);  // false: it has ended
  std::shared_ptr<const ContextChange> fit(const ScriptedModel& model, ChatRequest& request);
  static void finish(Job& job, bool cancelled);
  void admit_waiting();

  const ScriptedOptions options_;
  SummaryCache summaries_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Agenda agenda_;
  std::deque<std::shared_ptr<Job>> waiting_;
  std::vector<ChatEvent> events_;
  inference::EngineStats stats_;
  bool stopping_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::thread thread_;
};

// A summary is written at once: there is nothing to compute.
std::shared_ptr<const ContextChange> Scripted::fit(const ScriptedModel& model,
                                                   ChatRequest& request) {
  ContextFacts facts{.positions = std::min(request.context.value_or(model.context), model.context),
                     .answer = request.sampling.max_tokens.value_or(-1),
                     .longest_token_bytes = kScriptedTokenBytes,
                     .model = model.name,
                     .count = [](const ChatRequest& each) -> std::optional<int64_t> {
                       return static_cast<int64_t>(prompt_tokens(each).size());
                     }};
  const ContextPolicy policy = request.context_policy.value_or(options_.context_policy);
  ContextFit fit(request, policy, std::move(facts), summaries_);
  if (const ChatRequest* wanted = fit.wanted_summary()) {
    const auto n_prompt = prompt_tokens(*wanted).size();
    const Plan plan = make_plan(model, *wanted, 0, 0, n_prompt);
    inference::Usage usage;
    usage.prompt_tokens = static_cast<int32_t>(n_prompt);
    usage.completion_tokens = static_cast<int32_t>(plan.tokens.size());
    std::string text;
    for (const PlannedToken& token : plan.tokens) text += token.text;
    fit.take_summary(std::move(text), usage);
  }
  request = fit.request();
  return fit.change();
}

std::unique_ptr<Answer> Scripted::start(ChatRequest request, ChatSink sink) {
  const ScriptedModel* model = find(request.model);
  if (!model) throw model_not_found(request.model, models());
  inference::validate(apply(request.sampling, {}), kScriptedVocab);
  auto job = std::make_shared<Job>();
  put_system_front(request.system_front, {}, request.conversation.messages);
  job->change = fit(*model, request);
  job->prompt = prompt_tokens(request);
  check_fits(request, job->prompt.size(), model->context);
  const uint64_t asked = request.sampling.seed.value_or(kFreshSeed);
  const uint64_t seed = asked == kFreshSeed ? std::random_device{}() : asked;
  for (int32_t choice = 0; choice < request.n; ++choice) {
    job->plans.push_back(make_plan(*model, request, choice, seed, job->prompt.size()));
    if (request.load_only || request.prompt_only) job->plans.back() = {};
  }
  const auto pause = [](double per_second) {
    return per_second > 0 ? std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(1 / per_second))
                          : Clock::duration{};
  };
  job->token_pause = pause(model->tokens_per_second);
  job->prompt_pause = pause(model->prompt_tokens_per_second) * 256;
  job->prompt_steps =
      model->prompt_tokens_per_second > 0 ? static_cast<int>((job->prompt.size() + 255) / 256) : 0;
  job->told_start = !request.tell_start && !request.prompt_only;
  job->context = std::min(request.context.value_or(model->context), model->context);
  job->request = std::move(request);
  job->sink = std::move(sink);
  auto answer = std::make_unique<Running>();
  answer->job = job;
  answer->backend = this;
  answer->alive = alive_;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [](const auto& each) { return each->cancelled.load(); });
    if (agenda_.size() >= static_cast<size_t>(options_.max_running) &&
        waiting_.size() >= static_cast<size_t>(options_.max_queue)) {
      throw Error(Code::unavailable,
                  fmt::format("{} requests run and {} wait, which is the limit", agenda_.size(),
                              waiting_.size()),
                  "try again in a moment");
    }
    waiting_.push_back(std::move(job));
  }
  changed_.notify_all();
  return answer;
}

std::unique_ptr<Answer> Scripted::tokenize(ChatRequest request, TokensSink sink) {
  if (!serves(request.model)) throw model_not_found(request.model, models());
  put_system_front(request.system_front, {}, request.conversation.messages);
  std::vector<int32_t> ids;
  for (const std::string& token : prompt_tokens(request)) ids.push_back(scripted_id(token));
  sink(std::move(ids), nullptr);
  return nullptr;
}

void Scripted::admit_waiting() {
  while (!waiting_.empty() && agenda_.size() < static_cast<size_t>(options_.max_running)) {
    agenda_.emplace(Clock::now(), std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

// All jobs that are due take one step together, as a batch would.
void Scripted::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    admit_waiting();
    std::vector<std::shared_ptr<Job>> due;
    const auto now = Clock::now();
    std::erase_if(agenda_, [&](auto& entry) {
      if (entry.first > now && !entry.second->cancelled) return false;
      due.push_back(entry.second);
      return true;
    });
    if (due.empty()) {
      if (agenda_.empty()) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, agenda_.begin()->first);
      }
      continue;
    }
    // Sinks are called without the lock; the steps' places in the batch stay taken meanwhile.
    stats_.running = static_cast<int32_t>(agenda_.size() + due.size());
    lock.unlock();
    std::vector<std::pair<Clock::time_point, std::shared_ptr<Job>>> next;
    int64_t rows = 0;
    for (auto& job : due) {
      ++rows;
      if (!step(*job)) continue;
      const auto pause = job->started ? job->token_pause : job->prompt_pause;
      next.emplace_back(now + pause, job);
    }
    due.clear();
    lock.lock();
    for (auto& [time, job] : next) agenda_.emplace(time, std::move(job));
    stats_.decode_steps += 1;
    stats_.decode_tokens += rows;
    stats_.running = static_cast<int32_t>(agenda_.size());
  }
  auto rest = std::move(agenda_);
  auto waiting = std::move(waiting_);
  lock.unlock();
  for (auto& [time, job] : rest) finish(*job, true);
  for (auto& job : waiting) finish(*job, true);
}

void Scripted::finish(Job& job, bool cancelled) {
  for (size_t choice = 0; choice < job.plans.size(); ++choice) {
    Plan& plan = job.plans[choice];
    ChatEvent event;
    event.choice = static_cast<int32_t>(choice);
    event.event.kind = Event::Kind::finished;
    event.event.reason = cancelled ? FinishReason::cancelled : plan.reason;
    event.event.stop_string = plan.stop_string;
    if (plan.error && !cancelled) {
      event.event.reason = FinishReason::error;
      event.event.error = plan.error;
    }
    auto& usage = event.event.usage;
    usage.prompt_tokens = static_cast<int32_t>(job.prompt.size());
    usage.completion_tokens = static_cast<int32_t>(std::min(job.at, plan.tokens.size()));
    if (choice == 0 && job.change) {
      usage.prompt_tokens += job.change->summary_input_tokens;
      usage.completion_tokens += job.change->summary_output_tokens;
    }
    for (size_t i = 0; i < std::min(job.at, plan.tokens.size()); ++i) {
      const auto part = plan.tokens[i].part;
      event.reasoning_tokens += part == PlannedToken::Part::reasoning ? 1 : 0;
    }
    usage.prompt_ns = usage.prompt_tokens * kTokenNs;
    usage.completion_ns = usage.completion_tokens * kTokenNs;
    job.sink(std::move(event));
  }
  job.sink = nullptr;
}

void tell_change(Job& job) {
  ChatEvent event;
  event.event.kind = Event::Kind::progress;
  event.notice = notice_of(*job.change);
  event.context_change = job.change;
  job.sink(std::move(event));
}

// What the answer begins with; an id of the prompt is what scripted_id() makes of its text.
void tell_start(Job& job) {
  auto start = std::make_shared<AnswerStart>();
  for (const std::string& text : job.prompt) {
    start->prompt_ids.push_back(scripted_id(text));
    start->prompt += text;
  }
  start->sampler = apply(job.request.sampling, {});
  start->max_tokens = job.request.sampling.max_tokens.value_or(-1);
  start->stop = job.request.sampling.stop.value_or(std::vector<std::string>{});
  start->context = job.context;
  ChatEvent event;
  event.event.kind = Event::Kind::progress;
  event.start = std::move(start);
  if (job.request.prompt_only && job.request.token_ids) {
    for (const auto& text : job.prompt) event.event.prompt_tokens.push_back(made_up(text, 0));
  }
  job.sink(std::move(event));
}

bool Scripted::step(Job& job) {
  if (job.cancelled) {
    finish(job, true);
    return false;
  }
  if (job.change && !std::exchange(job.told_change, true)) tell_change(job);
  if (!std::exchange(job.told_start, true)) tell_start(job);
  if (job.request.prompt_only) {
    finish(job, false);
    return false;
  }
  if (job.prompt_steps > 0) {
    --job.prompt_steps;
    ChatEvent event;
    event.event.kind = Event::Kind::progress;
    event.event.prompt_done = static_cast<int32_t>(job.prompt.size()) - 256 * job.prompt_steps;
    job.sink(std::move(event));
    return true;
  }
  bool more = false;
  for (size_t choice = 0; choice < job.plans.size(); ++choice) {
    const Plan& plan = job.plans[choice];
    const bool first = !job.started && job.request.prompt_logprobs;
    if (job.at >= plan.tokens.size() && !first) continue;
    ChatEvent event;
    event.choice = static_cast<int32_t>(choice);
    event.event.usage.prompt_tokens = static_cast<int32_t>(job.prompt.size());
    if (first) {
      for (const auto& text : job.prompt) {
        event.event.prompt_tokens.push_back(made_up(text, std::max(0, job.request.n_logprobs)));
      }
    }
    if (job.at < plan.tokens.size()) play(plan.tokens[job.at], job.request, event);
    more = more || job.at + 1 < plan.tokens.size();
    job.sink(std::move(event));
  }
  job.started = true;
  ++job.at;
  if (more) return true;
  finish(job, false);
  return false;
}

std::vector<ModelCard> Scripted::models() const {
  std::vector<ModelCard> cards;
  for (const ScriptedModel& model : options_.models) {
    ModelCard card;
    card.name = model.name;
    card.format = "script";
    card.family = "scripted";
    card.kind = "chat";
    cards.push_back(std::move(card));
  }
  return cards;
}

std::optional<ModelTraits> Scripted::traits(std::string_view model) const {
  const ScriptedModel* found = find(model);
  if (found == nullptr) return std::nullopt;
  return ModelTraits{.name = found->name, .has_template = true, .context = found->context};
}

std::vector<RunningModel> Scripted::running() const {
  const std::lock_guard lock(mutex_);
  RunningModel model;
  model.card = models().front();
  model.context = options_.models.front().context;
  // The jobs of a step that is being taken are not on the agenda meanwhile.
  model.running = std::max(stats_.running, static_cast<int32_t>(agenda_.size()));
  model.queued = static_cast<int32_t>(waiting_.size());
  model.max_running = options_.max_running;
  model.stats = stats_;
  model.stats.running = model.running;
  model.stats.queued = model.queued;
  return {std::move(model)};
}

}  // namespace

std::unique_ptr<Backend> make_scripted_backend(ScriptedOptions options) {
  return std::make_unique<Scripted>(std::move(options));
}

}  // namespace strata::api
