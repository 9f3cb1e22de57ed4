#include "api/dialect/huggingface/huggingface.h"

#include <algorithm>
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/openai/openai.h"
#include "api/dialect/pick_model.h"
#include "api/limits.h"
#include "core/version.h"

namespace strata::api::huggingface {
namespace {

using Task = void (*)(const std::shared_ptr<Exchange>&, const Services&, const Dialect&,
                      const json::value&, const Asked&);

std::string_view error_type(Code code) {
  switch (code) {
    case Code::invalid_argument:
    case Code::failed_precondition:
      return "validation";
    case Code::unavailable:
    case Code::resource_exhausted:
      return "overloaded";
    case Code::unauthenticated:
    case Code::permission_denied:
      return "authentication";
    case Code::not_found:
      return "not_found";
    default:
      return "generation";
  }
}

void generate(const std::shared_ptr<Exchange>& exchange, const Services& services,
              const Dialect& dialect, const json::value& body, const Asked& asked) {
  Parsed parsed = parse_generate(body, asked, services);
  auto writer = generate_writer(parsed);
  std::vector<ChatRequest> requests;
  requests.push_back(std::move(parsed.request));
  answer(exchange, services, dialect, std::move(requests), parsed.stream, std::move(writer));
}

struct NamedTask {
  std::string_view name;
  Task run;
};
constexpr std::array kTasks{
    NamedTask{"text-generation", generate}, NamedTask{"feature-extraction", extract_features},
    NamedTask{"sentence-similarity", compare_sentences}, NamedTask{"text-classification", classify},
    NamedTask{"fill-mask", fill_masks}};

Task task_named(std::string_view name) {
  std::string known;
  for (const NamedTask& task : kTasks) {
    if (task.name == name) return task.run;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", task.name);
  }
  throw Error(Code::unimplemented, fmt::format("the task {} is not built", name.substr(0, 64)),
              fmt::format("there are {}", known));
}

// What a model is for, where the path does not say: its inputs or its kind do.
Task task_for(const json::value& body, const std::string& model, const Services& services) {
  const json::object* fields = body.if_object();
  const json::value* inputs = fields != nullptr ? fields->if_contains("inputs") : nullptr;
  if (inputs != nullptr && inputs->is_object()) return compare_sentences;
  const auto traits = services.gateway->traits(model);
  if (!traits || traits->generates) return generate;
  if (traits->fills_masks) return fill_masks;
  return traits->scores ? classify : extract_features;
}

// "org/name/pipeline/feature-extraction" is a model and a task.
std::pair<std::string, std::string> split_task(const std::string& rest) {
  constexpr std::string_view kMark = "/pipeline/";
  const size_t at = rest.rfind(kMark);
  if (at == std::string::npos) return {rest, ""};
  return {rest.substr(0, at), rest.substr(at + kMark.size())};
}

class HuggingFace final : public Dialect {
 public:
  std::string_view name() const override { return "huggingface"; }
  bool owns(std::string_view path) const override {
    return path.starts_with("/generate") || path.starts_with("/models") ||
           path.starts_with("/pipeline/") || path == "/info";
  }

  Response error(const Error& error) const override { return json_response(error_json(error)); }

  void add_routes(RouteTable& table, const Services& services) const override {
    const auto add = [&](std::string method, std::string pattern, Lane lane, Handler handler) {
      const size_t limit = method == "GET" ? 0 : kMaxBodyBytes;
      table.add({std::move(method), std::move(pattern), Scope::inference, limit, std::move(handler),
                 std::string(name()), lane});
    };
    const auto add_generate = [&](std::string path, const Asked& by_path) {
      add("POST", std::move(path), Lane::prompts, [this, &services, by_path](const auto& e) {
        Asked asked = by_path;
        asked.caller = e->request().owner;
        generate(e, services, *this, read_body(e->request().body), asked);
      });
    };
    add_generate("/generate", {.model = "", .stream = false, .in_array = false});
    add_generate("/generate_stream", {.model = "", .stream = true, .in_array = false});
    add_generate("/", {.model = "", .stream = std::nullopt, .in_array = true});
    add("POST", "/models/{id}", Lane::prompts,
        [this, &services](const auto& e) { ask_model(e, services); });
    add("GET", "/models/{id}", Lane::store,
        [this, &services](const auto& e) { tell_model(e, services); });
    add("POST", "/pipeline/{id}", Lane::prompts,
        [this, &services](const auto& e) { ask_pipeline(e, services); });
    add("GET", "/info", Lane::store, [&services](const auto& e) {
      e->respond(json_response(info_json(services, model_of_query(e->request(), services))));
    });
  }

 private:
  void run(const std::shared_ptr<Exchange>& exchange, const Services& services,
           std::string_view task, std::string model) const {
    const json::value body = read_body(exchange->request().body);
    const Asked asked{.model = std::move(model),
                      .stream = std::nullopt,
                      .in_array = true,
                      .caller = exchange->request().owner};
    const Task chosen = task.empty() ? task_for(body, asked.model, services) : task_named(task);
    chosen(exchange, services, *this, body, asked);
  }

  // A model's address is a whole server to its clients, which chat and complete there too.
  void ask_model(const std::shared_ptr<Exchange>& exchange, const Services& services) const {
    constexpr std::string_view kChat = "/v1/chat/completions", kComplete = "/v1/completions";
    const std::string& rest = exchange->request().params.at("id");
    if (rest.starts_with('/')) {
      throw Error(Code::not_found, "the path names no model", "ask /models/MODEL/pipeline/TASK");
    }
    const auto before = [&](std::string_view end) {
      return rest.substr(0, rest.size() - end.size());
    };
    if (rest.ends_with(kChat)) {
      return openai::answer_chat(exchange, services, *this, before(kChat));
    }
    if (rest.ends_with(kComplete)) {
      return openai::answer_completion(exchange, services, *this, before(kComplete));
    }
    auto [model, task] = split_task(rest);
    run(exchange, services, task, std::move(model));
  }

  // /pipeline/{task}/{model}
  void ask_pipeline(const std::shared_ptr<Exchange>& exchange, const Services& services) const {
    const std::string& rest = exchange->request().params.at("id");
    const size_t slash = rest.find('/');
    if (slash == std::string::npos || slash + 1 == rest.size()) {
      throw Error(Code::not_found, "the path names no model", "ask /pipeline/TASK/MODEL");
    }
    run(exchange, services, rest.substr(0, slash), rest.substr(slash + 1));
  }

  // A model's address is a whole server to its clients, which ask it for /info and /health.
  void tell_model(const std::shared_ptr<Exchange>& exchange, const Services& services) const {
    std::string id = exchange->request().params.at("id");
    const auto ends = [&](std::string_view tail) {
      if (!id.ends_with(tail)) return false;
      id.resize(id.size() - tail.size());
      return true;
    };
    if (ends("/health")) {
      if (!services.gateway->serves(id)) throw model_not_found(id, services.gateway->models());
      return exchange->respond(json_response(json::object{{"status", "ok"}}));
    }
    ends("/info");
    exchange->respond(json_response(info_json(services, id)));
  }
};

const Registered<Dialect> huggingface{std::make_unique<HuggingFace>()};

}  // namespace

json::object info_json(const Services& services, const std::string& model) {
  const auto cards = services.gateway->models();
  const ModelCard& card = find_card(cards, model);
  const auto traits = services.gateway->traits(card.name);
  int32_t context = traits ? traits->context : 0;
  int32_t most = 0;
  for (const RunningModel& each : services.gateway->running()) {
    most = std::max(most, each.max_running);
    if (each.card.name == card.name && each.context > 0) context = each.context;
  }
  std::string_view tag = "text-generation";
  if (traits && !traits->generates) {
    tag = traits->scores        ? "text-classification"
          : traits->fills_masks ? "fill-mask"
                                : "feature-extraction";
  }
  return {{"model_id", card.name},
          {"model_sha", card.digest.empty() ? json::value(nullptr) : json::value(card.digest)},
          {"model_pipeline_tag", tag},
          {"model_device_type", "cpu"},
          {"model_dtype", card.quantization.empty() ? card.format : card.quantization},
          {"max_concurrent_requests", most},
          {"max_best_of", kMaxChoices},
          {"max_stop_sequences", kMaxStopStrings},
          {"max_input_tokens", std::max(0, context - 1)},
          {"max_total_tokens", context},
          {"max_client_batch_size", kMaxEmbeddingInputs},
          {"router", "strata"},
          {"version", version()},
          {"sha", nullptr},
          {"docker_label", nullptr}};
}

json::object error_json(const Error& error) {
  return {{"error", full_text(error)}, {"error_type", error_type(error.code())}};
}

Response json_response(const json::value& body) {
  Response response;
  response.body = to_json(body);
  return response;
}

}  // namespace strata::api::huggingface
