// strata embed MODEL [TEXT…]
#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <mutex>

#include <unistd.h>

#include "api/dialect/embed_answer.h"
#include "app/assembly.h"
#include "app/cli/command.h"
#include "app/cli/load_config.h"
#include "app/cli/model_file.h"
#include "app/cli/output.h"
#include "app/cli/pipe.h"
#include "app/in_range.h"
#include "core/duration.h"
#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"

namespace strata::app {
namespace {

constexpr size_t kTextsAtOnce = 64;  // of one request, so that a long file is printed as it goes

// One answer, waited for.
class Waiting {
 public:
  void take(api::EmbeddingAnswer&& answer, const Error* error) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
    if (error != nullptr) error_ = *error;
    done_ = true;
    ready_.notify_one();
  }
  api::EmbeddingAnswer wait() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return done_; });
    if (error_) throw *error_;
    return std::move(answer_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  bool done_ = false;
  api::EmbeddingAnswer answer_;
  std::optional<Error> error_;
};

// Vectors are counted by lines: none may be left out, and of nothing there is none.
std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      throw Error(
          Code::invalid_argument,
          fmt::format("line {} is empty: each line is to become a vector", lines.size() + 1),
          "take it out, or give all as one text: --whole");
    }
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<std::string> texts_from(const Arguments& arguments) {
  std::vector<std::string> texts(arguments.words().begin() + 1, arguments.words().end());
  std::string more;
  if (const auto file = arguments.value("file"); file && *file != "-") {
    more = read_file(*file);
  } else if (file || (texts.empty() && !stdin_is_terminal())) {
    more = read_pipe();
  }
  if (arguments.has("whole")) {
    if (!more.empty()) texts.push_back(std::move(more));
  } else {
    std::ranges::move(lines_of(more), std::back_inserter(texts));
  }
  if (texts.empty()) {
    throw Error(Code::invalid_argument, "no text",
                "give one: strata embed MODEL \"text\", or --file FILE with one a line");
  }
  return texts;
}

std::string line_of(const std::vector<float>& vector) {
  std::string line;
  for (const float value : vector) line += fmt::format("{}{}", line.empty() ? "" : " ", value);
  return line + "\n";
}

class Embed : public Command {
 public:
  const CommandSpec& spec() const override {
    static const CommandSpec spec{
        .name = "embed",
        .summary = "turn texts into vectors",
        .description =
            "Each TEXT, or each line of a file or of standard input, becomes a vector of length "
            "1:\n"
            "one line of numbers on stdout, in order. Texts with like meanings have vectors whose\n"
            "product is near 1. Where a strata server answers it is used; otherwise the model "
            "runs\n"
            "in this process. A model for it, which the examples use:\n"
            "strata pull hf:sentence-transformers/all-MiniLM-L6-v2 --as minilm",
        .arguments = {{"MODEL", "a name", true, false, ArgumentSpec::Kind::model},
                      {"TEXT", "a text; more than one are more vectors", false, true}},
        .options = {{"file", "FILE", "read texts from a file, one a line; -: standard input", 'f'},
                    {"whole", "", "the file or standard input is one text"},
                    {"truncate", "", "cut what is longer than the model takes"},
                    {"prompt", "NAME",
                     "put the model's text of this name in front: query, document"},
                    {"dimensions", "N", "only the first N numbers, of length 1 again"},
                    {"keep-alive", "TIME", "how long the server keeps the model loaded"},
                    {"local", "", "do not use a server, run in this process"},
                    {"quiet", "", "show no progress", 'q'},
                    {"json", "", "print JSON"}},
        .examples = {{"strata embed minilm \"The sky is blue\"", "one vector"},
                     {"strata embed MODEL --prompt query \"Why is the sky blue?\"",
                      "of a model that wants to know what is a question"},
                     {"strata embed minilm --file sentences.txt --json", "one a line of a file"},
                     {"cat page.txt | strata embed minilm --whole --truncate",
                      "one of all that comes from a pipe"}}};
    return spec;
  }

  int run(const Arguments& arguments) const override {
    const Config config = load_config(arguments);
    const std::vector<std::string> texts = texts_from(arguments);
    api::EmbeddingRequest request;
    request.model = arguments.words()[0];
    refuse_path(request.model);
    request.truncate = arguments.has("truncate");
    request.prompt_name = arguments.value("prompt");
    if (arguments.has("dimensions")) {
      request.dimensions = option_in_range(arguments, "dimensions", {1}, 0);
    }
    if (const auto time = arguments.value("keep-alive")) {
      request.keep_alive_ms = parse_duration_ms(*time);
    }
    const auto backend = connect_backend(config, arguments.has("local"));
    json::array vectors;
    int64_t n_tokens = 0;
    ProgressPrinter printer(progress_style(arguments, texts.size()));
    printer.show(request.model, 0, texts.size(), "texts");
    for (size_t begin = 0; begin < texts.size(); begin += kTextsAtOnce) {
      request.inputs.clear();
      for (size_t i = begin; i < std::min(begin + kTextsAtOnce, texts.size()); ++i) {
        request.inputs.push_back({texts[i]});
      }
      const auto answer = answer_to(*backend, request);
      n_tokens += answer.n_tokens;
      printer.show(request.model, begin + request.inputs.size(), texts.size(), "texts");
      for (const auto& each : answer.embeddings) {
        if (arguments.has("json")) {
          vectors.push_back(api::to_json_array(each.vector));
        } else {
          print(line_of(each.vector));
        }
      }
    }
    printer.finish();
    if (arguments.has("json")) {
      print_json(json::object{
          {"model", request.model}, {"embeddings", std::move(vectors)}, {"tokens", n_tokens}});
    }
    return 0;
  }

 private:
  // None of few texts, and none between vectors that are shown as they come.
  static ProgressPrinter::Style progress_style(const Arguments& arguments, size_t n_texts) {
    const bool between = is_terminal(STDOUT_FILENO) && !arguments.has("json");
    const bool quiet = arguments.has("quiet") || between || n_texts <= kTextsAtOnce;
    return ProgressPrinter::style_for(STDERR_FILENO, quiet);
  }

  static api::EmbeddingAnswer answer_to(api::Backend& backend,
                                        const api::EmbeddingRequest& request) {
    const auto waiting = std::make_shared<Waiting>();
    const auto answer =
        backend.embed(request, [waiting](api::EmbeddingAnswer&& done, const Error* error) {
          waiting->take(std::move(done), error);
        });
    return waiting->wait();
  }
};

const Registered<Command> registered{std::make_unique<Embed>()};

}  // namespace
}  // namespace strata::app
