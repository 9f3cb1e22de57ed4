#include "api/dialect/embed_answer.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include <fmt/core.h>

#include "core/base64.h"

namespace strata::api {
namespace {

// Shared by the exchange and the engine's thread.
class Waiting : public std::enable_shared_from_this<Waiting> {
 public:
  Waiting(std::shared_ptr<Exchange> exchange, const Services& services, const Dialect& dialect,
          std::string model, std::function<json::value(const EmbeddingAnswer&)> write)
      : exchange_(std::move(exchange)),
        services_(services),
        dialect_(dialect),
        model_(std::move(model)),
        write_(std::move(write)) {}

  // On the engine's thread, which has no time to write thousands of numbers.
  void take(EmbeddingAnswer&& answer, const Error* error) {
    if (error != nullptr) return refuse(*error);
    const auto taken = std::make_shared<const EmbeddingAnswer>(std::move(answer));
    try {
      services_.beside([self = shared_from_this(), taken] { self->respond(*taken); });
    } catch (const Error& busy) {
      refuse(busy);
    }
  }

 private:
  void refuse(const Error& error) { exchange_->respond(error_response(dialect_, error)); }

  void respond(const EmbeddingAnswer& answer) {
    services_.metrics
        ->counter("strata_prompt_tokens_total", "Tokens of prompts.", {{"model", model_}})
        .add(static_cast<uint64_t>(answer.n_tokens));
    if (answer.n_cut > 0) {
      exchange_->add_header("x-strata-notice",
                            fmt::format("{} of {} texts were longer than is read and were cut",
                                        answer.n_cut, answer.embeddings.size()));
    }
    if (!answer.notice.empty()) exchange_->add_header("x-strata-notice", answer.notice);
    try {
      Response response;
      response.body = to_json(write_(answer));
      exchange_->respond(std::move(response));
    } catch (const Error& refused) {
      refuse(refused);
    }
  }

  const std::shared_ptr<Exchange> exchange_;
  const Services& services_;
  const Dialect& dialect_;
  const std::string model_;
  const std::function<json::value(const EmbeddingAnswer&)> write_;
};

// The double that prints with as few digits as the float needs.
double short_double(float value) {
  const std::string digits = fmt::format("{}", value);
  double out = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return out;
}

}  // namespace

void answer_embedding(const std::shared_ptr<Exchange>& exchange, const Services& services,
                      const Dialect& dialect, EmbeddingRequest request,
                      std::function<json::value(const EmbeddingAnswer&)> write) {
  auto waiting = std::make_shared<Waiting>(exchange, services, dialect, model_label(request.model),
                                           std::move(write));
  request.caller = exchange->request().owner;
  exchange->keep(services.gateway->embed(std::move(request),
                                         [waiting](EmbeddingAnswer&& answer, const Error* error) {
                                           waiting->take(std::move(answer), error);
                                         }));
}

std::optional<std::string> read_prompt_name(Fields& fields) {
  std::optional<std::string> name;
  for (const char* field : {"prompt_name", "input_type", "task"}) {
    auto given = fields.text(field);
    if (!given) continue;
    if (name && *name != *given) fields.fail(field, "is another prompt than the field beside it");
    name = std::move(given);
  }
  return name;
}

std::string base64_of(std::span<const float> vector) {
  static_assert(std::endian::native == std::endian::little);
  return base64(std::as_bytes(vector));
}

json::array to_json_array(std::span<const float> vector) {
  json::array out;
  out.reserve(vector.size());
  for (const float value : vector) out.emplace_back(short_double(value));
  return out;
}

}  // namespace strata::api
