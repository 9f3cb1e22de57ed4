#include "api/gateway/context_fit.h"

#include <algorithm>
#include <bit>

namespace strata::api {
namespace {

constexpr int64_t kMaxSummaryTokens = 512, kMinSummaryTokens = 16;

bool is_conversation(const ChatRequest& request) {
  return !request.raw && request.prompt_ids.empty() && request.suffix.empty() &&
         request.prompt_front.empty() && request.prompt_back.empty() && request.keep_last == 0 &&
         !request.load_only;
}

// Of the answer, where its length is asked for.
int64_t wished_room(const ContextFacts& facts) {
  const int64_t most = std::max<int64_t>(1, facts.positions / 4);
  return facts.answer < 0 ? 1 : std::clamp<int64_t>(facts.answer, 1, most);
}

// Of the prompt once it has to be cut: an answer without a limit gets some room, too.
int64_t prompt_room(const ContextFacts& facts) {
  return facts.positions -
         (facts.answer < 0 ? std::max<int64_t>(1, facts.positions / 4) : wished_room(facts));
}

int64_t summary_tokens(const ContextFacts& facts) {
  return std::clamp(facts.positions / 8, kMinSummaryTokens, kMaxSummaryTokens);
}

// The least of from … end for which holds(n); `end` where it holds for none.
template <typename Holds>
size_t least(size_t from, size_t end, Holds holds) {
  while (from < end) {
    const size_t middle = from + (end - from) / 2;
    if (holds(middle)) {
      end = middle;
    } else {
      from = middle + 1;
    }
  }
  return from;
}

std::string trimmed(std::string text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t end = text.find_last_not_of(kSpace);
  text.resize(end == std::string::npos ? 0 : end + 1);
  return text.substr(std::min(text.size(), text.find_first_not_of(kSpace)));
}

}  // namespace

ContextFit::ContextFit(ChatRequest request, ContextPolicy policy, ContextFacts facts,
                       SummaryCache& cache)
    : request_(std::move(request)), facts_(std::move(facts)), cache_(cache) {
  change_.policy = policy;
  if (policy == ContextPolicy::error || !is_conversation(request_)) return;
  n_tokens_ = facts_.count(request_);
  if (n_tokens_ && *n_tokens_ + wished_room(facts_) <= facts_.positions) return;
  messages_ = request_.conversation.messages;
  turns_ = droppable_turns(messages_);
  if (turns_.empty()) return;
  if (policy == ContextPolicy::truncate) {
    drop(lasting(least_to_drop(1, {}, prompt_room(facts_))), nullptr);
    return;
  }
  keys_ =
      beginning_keys(fmt::format("{} {}", request_.cache_scope, facts_.model), messages_, turns_);
  if (!find_summary()) want_summary();
}

const ChatRequest* ContextFit::wanted_summary() const {
  return wanted_ ? &*wanted_ : nullptr;
}

std::shared_ptr<const ContextChange> ContextFit::change() const {
  if (change_.messages == 0) return nullptr;
  return std::make_shared<ContextChange>(change_);
}

ChatRequest ContextFit::with(size_t n_dropped, std::string_view summary) const {
  ChatRequest changed = request_;
  changed.conversation.messages = without_turns(messages_, turns_, n_dropped, summary);
  return changed;
}

bool ContextFit::fits(size_t n_dropped, std::string_view summary, int64_t room) const {
  const auto tokens = facts_.count(with(n_dropped, summary));
  return tokens && *tokens <= room;
}

// At most all of them, whether that is enough or not.
size_t ContextFit::least_to_drop(size_t from, std::string_view summary, int64_t room) const {
  return least(from, turns_.size(), [&](size_t n) { return fits(n, summary, room); });
}

int64_t ContextFit::bytes_in(size_t first, size_t end) const {
  int64_t bytes = 0;
  for (size_t i = first; i < end; ++i) {
    for (size_t at = turns_[i].begin; at < turns_[i].end; ++at) {
      if (!is_system(messages_[at])) bytes += static_cast<int64_t>(messages_[at].content.size());
    }
  }
  return bytes;
}

// The next place behind the least to drop that the requests after this one come to as well: else
// each of them would leave out a turn more, and nothing of its prompt would be found in the cache.
// Places are an eighth to a quarter of the context apart, counted from the conversation's begin.
size_t ContextFit::lasting(size_t least) const {
  const auto tokens = facts_.count(with(least, {}));
  if (!tokens) return least;
  const auto bytes_each =
      static_cast<uint64_t>(bytes_in(least, turns_.size()) / std::max<int64_t>(1, *tokens));
  // As a power of two it is the same for the requests of one conversation.
  const auto apart = prompt_room(facts_) / 4 *
                     static_cast<int64_t>(std::bit_floor(std::max<uint64_t>(1, bytes_each)));
  int64_t before = bytes_in(0, least - 1);
  for (size_t n = least; n < turns_.size(); ++n) {
    const int64_t here = before + bytes_in(n - 1, n);
    if (here / apart > before / apart) return n;
    before = here;
  }
  return least;
}

int64_t ContextFit::messages_in(size_t first, size_t end) const {
  int64_t n = 0;
  for (size_t i = first; i < end; ++i) {
    for (size_t at = turns_[i].begin; at < turns_[i].end; ++at)
      n += is_system(messages_[at]) ? 0 : 1;
  }
  return n;
}

void ContextFit::drop(size_t n_dropped, const Summary* summary) {
  ChatRequest bare = with(n_dropped, {});
  const auto left = facts_.count(bare);
  change_.messages = messages_in(0, n_dropped);
  change_.tokens_counted = n_tokens_ && left;
  change_.tokens = 0;
  if (change_.tokens_counted) {
    change_.tokens = std::max<int64_t>(0, *n_tokens_ - *left);
  } else {
    change_.tokens = bytes_in(0, n_dropped) / facts_.longest_token_bytes;
  }
  change_.unsummarised = summary ? summary->unsummarised : change_.messages;
  request_ = summary ? with(n_dropped, summary->text) : std::move(bare);
  request_.left_out = change_.messages;
}

// One that was written for an earlier request: the shortest beginning that is enough.
bool ContextFit::find_summary() {
  for (size_t n = 1; n <= turns_.size(); ++n) {
    const auto summary = cache_.find(keys_[n]);
    if (!summary || !fits(n, summary->text, prompt_room(facts_))) continue;
    change_.summary_kept = true;
    drop(n, &*summary);
    return true;
  }
  return false;
}

// A summary makes the context half empty, so that the next requests can go on with it. It tells of
// the latest turns that fit in one prompt, behind the longest earlier summary.
void ContextFit::want_summary() {
  const int64_t most = summary_tokens(facts_);
  const size_t n = least_to_drop(1, {}, facts_.positions / 2 - most);
  size_t begin = n;
  std::optional<Summary> earlier;
  while (!earlier && --begin > 0) earlier = cache_.find(keys_[begin]);
  const auto asking = [&](size_t first) {
    ChatRequest ask;
    ask.model = request_.model;
    ask.model_messages = false;
    ask.conversation.messages.push_back(
        {.role = "user",
         .content = summary_prompt(earlier ? earlier->text : "", messages_,
                                   std::span(turns_).subspan(first, n - first), most)});
    ask.conversation.now_s = request_.conversation.now_s;
    ask.reasoning.think = false;
    ask.sampling.temperature = 0;
    ask.sampling.max_tokens = static_cast<int32_t>(most);
    ask.context = request_.context;
    ask.cache_scope = request_.cache_scope;
    ask.caller = request_.caller;
    ask.priority = request_.priority;
    return ask;
  };
  const size_t first = least(begin, n, [&](size_t from) {
    const auto tokens = facts_.count(asking(from));
    return tokens && *tokens + most <= facts_.positions;
  });
  n_summarised_ = n;
  if (first == n) return drop(least_to_drop(1, {}, prompt_room(facts_)), nullptr);
  unsummarised_ = messages_in(begin, first) + (earlier ? earlier->unsummarised : 0);
  wanted_ = asking(first);
}

void ContextFit::take_summary(std::string text, const inference::Usage& usage) {
  wanted_.reset();
  change_.summary_input_tokens = usage.prompt_tokens;
  change_.summary_output_tokens = usage.completion_tokens;
  Summary summary{trimmed(std::move(text)), unsummarised_};
  const int64_t room = prompt_room(facts_);
  if (summary.text.empty()) return drop(least_to_drop(n_summarised_, {}, room), nullptr);
  cache_.put(keys_[n_summarised_], summary);
  const size_t n = least_to_drop(n_summarised_, summary.text, room);
  summary.unsummarised += messages_in(n_summarised_, n);
  drop(n, &summary);
}

}  // namespace strata::api
