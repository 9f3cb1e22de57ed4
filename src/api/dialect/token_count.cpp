#include "api/dialect/token_count.h"

#include "api/dialect/answer.h"
#include "api/dialect/dialect_common.h"

namespace strata::api {

void answer_count(const std::shared_ptr<Exchange>& exchange, const Services& services,
                  const Dialect& dialect, ChatRequest request,
                  std::function<json::value(int64_t n_tokens)> write) {
  tell_ignored(*exchange, request.ignored);
  name_caller(request, exchange->request());  // whose system text counts
  exchange->keep(services.gateway->tokenize(
      std::move(request), [exchange, &dialect, write = std::move(write)](std::vector<int32_t>&& ids,
                                                                         const Error* error) {
        if (error != nullptr) return exchange->respond(error_response(dialect, *error));
        Response response;
        response.body = to_json(write(static_cast<int64_t>(ids.size())));
        exchange->respond(std::move(response));
      }));
}

}  // namespace strata::api
