// The dialect of Hugging Face's servers (text generation, and tasks of a model by its name): its
// parts, internal to this folder.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/dialect/answer.h"
#include "api/embedding_request.h"
#include "api/json_fields.h"
#include "api/request.h"

namespace strata::api::huggingface {

// A request to generate text as read from the wire.
struct Parsed {
  ChatRequest request;
  bool stream = false;
  bool details = false;
  bool prefill = false;           // the prompt's tokens are told with the details
  bool return_full_text = false;  // the prompt stands before the text
  int32_t top_n_tokens = 0;
  bool best_of = false;   // of the request's choices the likeliest is the answer
  bool in_array = false;  // a whole answer stands in an array
};

// What a path says of a request; the body may say the rest.
struct Asked {
  std::string model;  // "": the body's, or the only one
  std::optional<bool> stream;
  bool in_array = false;
  std::string caller = {};  // his key's id
};

// FieldError, Error{invalid_argument}.
Parsed parse_generate(const json::value& body, const Asked& asked, const Services& services);
std::shared_ptr<AnswerWriter> generate_writer(const Parsed& parsed);

// "options", which say how a hosted service goes about it: named as ignored.
void read_options(Fields& fields, std::vector<std::string>& ignored);

// What the tasks below read alike: the model, of the body or else of the path; a text or texts.
std::string read_task_model(Fields& fields, const Asked& asked);
std::vector<EmbeddingText> read_texts(Fields& fields, std::string_view key);

// Tasks that are answered with vectors, scores or guesses. Throw as Gateway::embed does.
void extract_features(const std::shared_ptr<Exchange>& exchange, const Services& services,
                      const Dialect& dialect, const json::value& body, const Asked& asked);
void compare_sentences(const std::shared_ptr<Exchange>& exchange, const Services& services,
                       const Dialect& dialect, const json::value& body, const Asked& asked);
void classify(const std::shared_ptr<Exchange>& exchange, const Services& services,
              const Dialect& dialect, const json::value& body, const Asked& asked);

void fill_masks(const std::shared_ptr<Exchange>& exchange, const Services& services,
                const Dialect& dialect, const json::value& body, const Asked& asked);

json::object info_json(const Services& services, const std::string& model);

json::object error_json(const Error& error);
Response json_response(const json::value& body);

}  // namespace strata::api::huggingface
