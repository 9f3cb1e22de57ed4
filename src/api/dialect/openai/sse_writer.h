// What chat and completion answers of OpenAI's interface share: the head of every object, the
// framing as server-sent events, the last chunk with the usage, errors.
#pragma once

#include "api/dialect/openai/openai.h"

namespace strata::api::openai {

class SseWriter : public AnswerWriter {
 public:
  std::string_view stream_type() const override { return "text/event-stream; charset=utf-8"; }
  void progress(const ChatEvent& event, std::string&) override {
    if (event.context_change) context_change_ = event.context_change;
    if (!event.notice.empty()) notices_.push_back(event.notice);
  }
  void close(const Totals& totals, std::string& out) override;
  void error(const Error& error, std::string& out) override;
  void ping(std::string& out) override { out += ": still working\n\n"; }
  Response whole(const std::vector<WholeChoice>& choices, const Totals& totals) override;
  bool keeps() const override { return static_cast<bool>(info_.keep); }
  void keep(const std::vector<WholeChoice>& choices, const Totals& totals) override {
    json::object whole = whole_json(choices, totals);
    put_notices(notices_, whole);
    info_.keep(std::move(whole));
  }

 protected:
  // The names of a streamed object and of a whole one ("chat.completion.chunk").
  SseWriter(WriterInfo info, std::string_view chunk_name, std::string_view whole_name)
      : info_(std::move(info)), chunk_name_(chunk_name), whole_name_(whole_name) {}

  virtual json::object choice_json(const WholeChoice& choice) const = 0;
  // done: what the choice took, where it ends with this.
  void chunk(std::string& out, json::object choice, const inference::Usage* done = nullptr);

  const WriterInfo info_;

 private:
  json::object head(std::string_view object) const;
  json::object whole_json(const std::vector<WholeChoice>& choices, const Totals& totals) const;

  const std::string_view chunk_name_, whole_name_;
  std::vector<std::string> notices_;
  std::shared_ptr<const ContextChange> context_change_;  // until the first chunk has told it
};

}  // namespace strata::api::openai
