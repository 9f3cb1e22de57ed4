// /api/v1/conversations: what a person does with conversations, and the answers in them.
#include <array>
#include <charconv>

#include "api/dialect/app/app.h"
#include "api/dialect/app/calls.h"
#include "api/dialect/app/turn.h"
#include "api/dialect/dialect_common.h"
#include "api/dialect/function_tool.h"
#include "api/limits.h"
#include "api/not_yet.h"
#include "core/utf8.h"

namespace strata::api::app {
namespace {

constexpr size_t kMaxDraftBytes = 1u << 20;
constexpr size_t kMaxSettingsBytes = 64u << 10;
constexpr size_t kMaxImported = 5000;  // messages of one request
constexpr size_t kAutomaticTitleBytes = 60;
constexpr int32_t kMostAnswerTokens = 1 << 24;

using ExchangePtr = std::shared_ptr<Exchange>;

const std::string& owner_of(const Exchange& exchange) {
  return exchange.request().owner;
}

std::optional<std::string> limited(Fields& fields, std::string_view key, size_t max_bytes) {
  auto text = fields.text(key);
  if (text && text->size() > max_bytes) {
    fields.fail(key, fmt::format("has {} bytes, the limit is {}", text->size(), max_bytes));
  }
  return text;
}

ThreadChange read_change(Fields& fields) {
  ThreadChange change;
  change.title = limited(fields, "title", kMaxTitleBytes);
  change.folder = limited(fields, "folder", kMaxTitleBytes);
  change.draft = limited(fields, "draft", kMaxDraftBytes);
  change.leaf = limited(fields, "leaf", 80);
  change.pinned = fields.boolean("pinned");
  change.archived = fields.boolean("archived");
  if (fields.object("settings")) {
    change.settings = fields.get("settings")->get_object();
    const size_t size = to_json(*change.settings).size();
    if (size > kMaxSettingsBytes) {
      fields.fail("settings",
                  fmt::format("has {} bytes, the limit is {}", size, kMaxSettingsBytes));
    }
  }
  return change;
}

// The first line of what was asked, cut at a word.
std::string automatic_title(std::string_view text) {
  std::string line(text.substr(0, text.find('\n')));
  if (line.size() <= kAutomaticTitleBytes) return line;
  line.resize(kAutomaticTitleBytes);
  while (!line.empty() && !is_valid_utf8(line)) line.pop_back();
  const size_t space = line.rfind(' ');
  if (space != std::string::npos && space > kAutomaticTitleBytes / 2) line.resize(space);
  return line + "…";
}

ThreadMessage read_message(Fields& fields) {
  ThreadMessage message;
  message.role = fields.text("role").value_or("user");
  if (message.role != "user" && message.role != "assistant") {
    fields.fail("role", "must be user or assistant");
  }
  message.reasoning = fields.text("reasoning").value_or("");
  if (fields.object("data")) message.data = fields.get("data")->get_object();
  const bool calls = message.role == "assistant" && message.data.contains("calls");
  message.text = calls ? fields.text("text").value_or("") : fields.required_text("text");
  return message;
}

void check_ended(const ThreadMessage& answer) {
  if (answer.status != kMessageWorking) return;
  throw NotYet("this answer is still being written", "wait for its end");
}

class ThreadRoutes {
 public:
  explicit ThreadRoutes(const Services& services) : services_(services), turns_(services) {}

  void list(const ExchangePtr& exchange) {
    const std::string& query = exchange->request().query;
    ThreadFilter filter;
    filter.words = query_value(query, "query").value_or("");
    filter.archived = query_value(query, "archived").value_or("") == "true";
    if (const auto limit = query_value(query, "limit")) {
      const auto [end, error] =
          std::from_chars(limit->data(), limit->data() + limit->size(), filter.limit);
      if (error != std::errc() || *end != 0 || filter.limit < 1 || filter.limit > 1000) {
        throw FieldError("limit", "must be a whole number from 1 to 1000");
      }
    }
    respond_json(*exchange, json::object{{"data", threads().list(owner_of(*exchange), filter)}});
  }

  void create(const ExchangePtr& exchange) {
    const json::value body = read_body(exchange->request().body);
    Fields fields(body);
    const ThreadChange change = read_change(fields);
    std::vector<PlacedMessage> messages;
    const auto given = fields.array("messages", kMaxImported);
    for (size_t i = 0; i < given.size(); ++i) {
      Fields each(given[i], fmt::format("messages[{}]", i));
      const auto last = static_cast<int64_t>(i) - 1;
      const int64_t parent = each.integer("parent", -1, last).value_or(last);
      messages.push_back({read_message(each), parent});
      each.refuse_unread();
    }
    fields.refuse_unread();
    const std::string& owner = owner_of(*exchange);
    json::object thread = threads().create(owner, change, services_.now_ms());
    const std::string id(thread.at("id").as_string());
    try {
      threads().add_all(owner, id, std::move(messages), services_.now_ms());
    } catch (const Error&) {
      threads().remove(owner, id);  // all of it, or nothing
      throw;
    }
    thread = *threads().find(owner, id);
    tell_thread(owner, thread);
    respond_json(*exchange, thread);
  }

  void get(const ExchangePtr& exchange) {
    const std::string& owner = owner_of(*exchange);
    const std::string id = param(*exchange, "id");
    auto thread = threads().find(owner, id);
    if (!thread) throw thread_not_found(id);
    (*thread)["messages"] = messages_now(owner, id);
    respond_json(*exchange, *thread);
  }

  // A turn that ends writes its row and goes: a row under way without a turn was read just before,
  // and all are read once more.
  json::array messages_now(const std::string& owner, const std::string& id) {
    for (bool first = true;; first = false) {
      json::array messages;
      bool ended = false;
      for (const ThreadMessage& message : threads().messages(owner, id)) {
        const bool working = message.status == kMessageWorking;
        const auto turn = working ? turns_.find(owner, message.id) : nullptr;
        messages.push_back(turn ? turn->snapshot() : message_json(id, message));
        ended = ended || (working && !turn);
      }
      if (!ended || !first) return messages;
    }
  }

  void change(const ExchangePtr& exchange) {
    const json::value body = read_body(exchange->request().body);
    Fields fields(body);
    const ThreadChange change = read_change(fields);
    fields.refuse_unread();
    const std::string& owner = owner_of(*exchange);
    const std::string id = param(*exchange, "id");
    if (change.leaf && !change.leaf->empty()) threads().path(owner, id, *change.leaf);
    const auto thread = threads().change(owner, id, change, services_.now_ms());
    if (!thread) throw thread_not_found(id);
    tell_thread(owner, *thread);
    respond_json(*exchange, *thread);
  }

  void remove(const ExchangePtr& exchange) {
    const std::string& owner = owner_of(*exchange);
    const std::string id = param(*exchange, "id");
    turns_.cut_thread(owner, id);
    if (!threads().remove(owner, id)) throw thread_not_found(id);
    feed().tell(owner, "removed", {{"conversation", id}});
    respond_json(*exchange, json::object{{"id", id}, {"deleted", true}});
  }

  void add_message(const ExchangePtr& exchange) {
    const json::value body = read_body(exchange->request().body);
    Fields fields(body);
    ThreadMessage message = read_message(fields);
    message.parent = fields.text("parent").value_or("");
    fields.refuse_unread();
    const std::string& owner = owner_of(*exchange);
    const std::string id = param(*exchange, "id");
    const bool begins = message.parent.empty();
    message = threads().add(owner, id, std::move(message), services_.now_ms());
    ThreadChange title{.draft = ""};
    if (begins) {
      title.title = automatic_title(message.text);
      title.automatic_title = true;
    }
    const auto thread = threads().change(owner, id, title, services_.now_ms());
    feed().tell(owner, "message", message_json(id, message));
    if (thread) tell_thread(owner, *thread);
    respond_json(*exchange, message_json(id, message));
  }

  // An answer to the message "parent", or more of the answer "continue".
  void answer(const ExchangePtr& exchange) {
    const json::value body = read_body(exchange->request().body);
    Fields fields(body);
    ChatRequest request;
    request.model = fields.text("model").value_or("");
    if (request.model.size() > kMaxModelNameBytes) fields.fail("model", "is too long for a name");
    request.sampling.temperature = read_parameter_number(fields, "temperature", "temperature");
    request.sampling.max_tokens =
        static_cast<int32_t>(fields.integer("max_tokens", 1, kMostAnswerTokens).value_or(0));
    if (request.sampling.max_tokens == 0) request.sampling.max_tokens.reset();
    read_common_sampling(fields, request.sampling);
    request.reasoning.think = fields.boolean("think");
    add_chat_tools(fields, request.conversation);
    const std::string system = limited(fields, "system", kMaxDraftBytes).value_or("");
    const auto going_on = fields.text("continue");
    const std::string parent = going_on ? *going_on : fields.required_text("parent");
    fields.refuse_unread();

    const std::string& owner = owner_of(*exchange);
    const std::string id = param(*exchange, "id");
    if (!threads().find(owner, id)) throw thread_not_found(id);
    const auto path = threads().path(owner, id, parent);
    if (!system.empty()) {
      request.conversation.messages.push_back({.role = "system", .content = system});
    }
    for (const ThreadMessage& each : path) add_turn(each, request.conversation.messages);
    name_caller(request, exchange->request());
    ThreadMessage message = going_on ? path.back() : ThreadMessage{};
    if (going_on) {
      if (message.role != "assistant") {
        throw Error(Code::failed_precondition, "only an answer can be gone on with");
      }
      check_ended(message);
      request.continue_last = !message.text.empty();
      if (message.text.empty()) request.conversation.messages.pop_back();
    }
    json::object asked = body.as_object();
    for (const char* place : {"parent", "continue"}) asked.erase(place);
    message.role = "assistant";
    message.status = kMessageWorking;
    message.data = {{"model", request.model}, {"request", std::move(asked)}};
    if (going_on) {
      threads().update(owner, id, message, services_.now_ms());
    } else {
      message.parent = parent;
      message = threads().add(owner, id, std::move(message), services_.now_ms());
    }
    feed().tell(owner, "message", message_json(id, message));
    if (const auto thread = threads().find(owner, id)) tell_thread(owner, *thread);
    try {
      turns_.start(owner, id, message, std::move(request));
    } catch (const Error& error) {  // it would stay "working" until the server ends
      message.status = kMessageCut;
      message.data["error"] = error.message();
      threads().update(owner, id, message, services_.now_ms());
      feed().tell(owner, "message", message_json(id, message));
      throw;
    }
    respond_json(*exchange, message_json(id, message));
  }

  // What the tools gave back that an answer called.
  void take_outputs(const ExchangePtr& exchange) {
    const json::value body = read_body(exchange->request().body);
    Fields fields(body);
    const std::string& owner = owner_of(*exchange);
    const std::string id = param(*exchange, "id");
    if (!threads().find(owner, id)) throw thread_not_found(id);
    ThreadMessage message = threads().path(owner, id, param(*exchange, "message")).back();
    check_ended(message);
    put_outputs(fields, message);
    fields.refuse_unread();
    if (!threads().update(owner, id, message, services_.now_ms())) throw thread_not_found(id);
    feed().tell(owner, "message", message_json(id, message));
    respond_json(*exchange, message_json(id, message));
  }

  void cut(const ExchangePtr& exchange) {
    const std::string id = param(*exchange, "message");
    const auto turn = turns_.find(owner_of(*exchange), id);
    if (!turn || turn->thread() != param(*exchange, "id")) {
      throw Error(Code::not_found, fmt::format("no answer '{}' is under way", id.substr(0, 80)));
    }
    turn->cut();
    respond_json(*exchange, turn->snapshot());
  }

  void listen(const ExchangePtr& exchange) {
    feed().listen(owner_of(*exchange), exchange, [&services = services_](const std::string& owner) {
      return is_live(services, owner);
    });
  }

 private:
  ThreadStore& threads() { return history_of(services_).threads; }
  ThreadFeed& feed() { return history_of(services_).feed; }
  void tell_thread(const std::string& owner, const json::object& thread) {
    feed().tell(owner, "conversation", thread);
  }

  const Services& services_;
  Turns turns_;
};

}  // namespace

void add_thread_routes(RouteTable& table, const Services& services, const Dialect& dialect) {
  const auto routes = std::make_shared<ThreadRoutes>(services);
  const auto add = [&](std::string method, std::string pattern, size_t limit,
                       void (ThreadRoutes::*handler)(const ExchangePtr&)) {
    table.add({std::move(method), "/api/v1/" + pattern, Scope::inference, limit,
               [routes, handler](const auto& exchange) { ((*routes).*handler)(exchange); },
               std::string(dialect.name()), Lane::store});
  };
  add("GET", "conversations", 0, &ThreadRoutes::list);
  add("POST", "conversations", kMaxBodyBytes, &ThreadRoutes::create);
  add("GET", "conversations/{id}", 0, &ThreadRoutes::get);
  add("PATCH", "conversations/{id}", kMaxBodyBytes, &ThreadRoutes::change);
  add("DELETE", "conversations/{id}", kMaxSmallBodyBytes, &ThreadRoutes::remove);
  add("POST", "conversations/{id}/messages", kMaxBodyBytes, &ThreadRoutes::add_message);
  add("POST", "conversations/{id}/answers", kMaxBodyBytes, &ThreadRoutes::answer);
  add("POST", "conversations/{id}/answers/{message}/outputs", kMaxBodyBytes,
      &ThreadRoutes::take_outputs);
  add("POST", "conversations/{id}/answers/{message}/cancel", kMaxSmallBodyBytes,
      &ThreadRoutes::cut);
  add("GET", "events", 0, &ThreadRoutes::listen);
}

}  // namespace strata::api::app
