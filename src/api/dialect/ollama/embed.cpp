// Ollama's /api/embed, and /api/embeddings as older clients call it.
#include <array>

#include "api/dialect/dialect_common.h"
#include "api/dialect/embed_answer.h"
#include "api/dialect/ollama/ollama.h"
#include "api/limits.h"
#include "core/os.h"

namespace strata::api::ollama {
namespace {

constexpr int64_t kMostDimensions = 1 << 20;

struct Parsed {
  EmbeddingRequest request;
  std::vector<std::string> ignored;
};

// What both have in common.
void read_shared(Fields& fields, Parsed& parsed) {
  parsed.request.model = read_model(fields);
  parsed.request.keep_alive_ms = read_keep_alive(fields);
  // The settings of an answer mean nothing here; what is wrong in them is refused all the same.
  ChatRequest settings;
  read_options(fields, settings);
  parsed.request.context = settings.context;
  if (const json::value* options = fields.get("options")) {
    for (const auto& [name, value] : options->as_object()) {
      if (name != "num_ctx")
        parsed.ignored.push_back(fmt::format("options.{}", std::string_view(name)));
    }
  }
}

Parsed parse_embed(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Parsed parsed;
  read_shared(fields, parsed);
  const json::value* input = fields.get("input");
  if (input == nullptr) {
    // Loads the model.
  } else if (input->is_string()) {
    // One empty text is Ollama's word for none.
    if (!input->get_string().empty()) {
      parsed.request.inputs.push_back({std::string(input->get_string())});
    }
  } else if (input->is_array()) {
    for (const json::value& item : fields.array("input", kMaxEmbeddingInputs)) {
      if (!item.is_string()) fields.fail("input", "must be a string or an array of strings");
      parsed.request.inputs.push_back({std::string(item.get_string())});
    }
  } else {
    fields.fail("input", "must be a string or an array of strings");
  }
  parsed.request.truncate = fields.boolean("truncate").value_or(true);
  if (const auto dimensions = fields.integer("dimensions", 0, kMostDimensions);
      dimensions && *dimensions > 0) {
    parsed.request.dimensions = static_cast<int32_t>(*dimensions);
  }
  parsed.request.prompt_name = read_prompt_name(fields);
  fields.refuse_unread();
  return parsed;
}

Parsed parse_older(const std::string& body) {
  const json::value document = read_body(body);
  Fields fields(document);
  Parsed parsed;
  read_shared(fields, parsed);
  const std::string prompt = fields.text("prompt").value_or("");
  if (!prompt.empty()) parsed.request.inputs.push_back({prompt});
  parsed.request.truncate = true;
  parsed.request.normalized = false;  // as Ollama leaves them here
  fields.refuse_unread();
  return parsed;
}

}  // namespace

void embed(const std::shared_ptr<Exchange>& exchange, const Services& services,
           const Dialect& dialect) {
  Parsed parsed = parse_embed(exchange->request().body);
  tell_ignored(*exchange, parsed.ignored);
  const std::string model = parsed.request.model;
  const uint64_t began_ns = monotonic_ns();
  answer_embedding(exchange, services, dialect, std::move(parsed.request),
                   [model, began_ns](const EmbeddingAnswer& answer) {
                     json::array vectors;
                     for (const auto& each : answer.embeddings) {
                       vectors.push_back(to_json_array(each.vector));
                     }
                     return json::object{{"model", model},
                                         {"embeddings", std::move(vectors)},
                                         {"total_duration", monotonic_ns() - began_ns},
                                         {"load_duration", answer.load_ns},
                                         {"prompt_eval_count", answer.n_tokens}};
                   });
}

void embed_older(const std::shared_ptr<Exchange>& exchange, const Services& services,
                 const Dialect& dialect) {
  Parsed parsed = parse_older(exchange->request().body);
  tell_ignored(*exchange, parsed.ignored);
  answer_embedding(exchange, services, dialect, std::move(parsed.request),
                   [](const EmbeddingAnswer& answer) {
                     json::array vector;
                     if (!answer.embeddings.empty()) {
                       vector = to_json_array(answer.embeddings.front().vector);
                     }
                     return json::object{{"embedding", std::move(vector)}};
                   });
}

}  // namespace strata::api::ollama
