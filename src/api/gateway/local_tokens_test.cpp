// The tokens of a prompt, without an answer, by the local backend.
#include <future>

#include <gtest/gtest.h>

#include "api/testing/tiny_backend.h"

namespace strata::api {
namespace {

constexpr uint32_t kContext = 128;

class LocalTokens : public ::testing::Test {
 protected:
  LocalTokens() { store_.add("tiny", testing::TinyStore::model_bytes(kContext)); }

  static ChatRequest chat(std::string text) {
    ChatRequest request;
    request.model = "tiny";
    models::Message message;
    message.role = "user";
    message.content = std::move(text);
    request.conversation.messages.push_back(std::move(message));
    request.sampling.max_tokens = 1;
    return request;
  }

  // The ids, or why there are none. Errors that are found at once are thrown.
  std::vector<int32_t> count(ChatRequest request) {
    std::promise<std::vector<int32_t>> promise;
    const auto answer =
        backend_->tokenize(std::move(request), [&](std::vector<int32_t>&& ids, const Error* error) {
          if (error != nullptr) return promise.set_exception(std::make_exception_ptr(*error));
          promise.set_value(std::move(ids));
        });
    return promise.get_future().get();
  }

  int32_t prompt_of_an_answer(ChatRequest request) {
    std::promise<int32_t> promise;
    int32_t with_first_text = -1;
    const auto answer = backend_->start(std::move(request), [&](ChatEvent&& event) {
      const auto& inner = event.event;
      if (inner.kind == inference::Event::Kind::text && with_first_text < 0) {
        with_first_text = inner.usage.prompt_tokens;
      }
      if (inner.kind == inference::Event::Kind::finished) {
        promise.set_value(inner.usage.prompt_tokens);
      }
    });
    const int32_t n = promise.get_future().get();
    EXPECT_TRUE(with_first_text < 0 || with_first_text == n) << with_first_text;
    return n;
  }

  testing::TinyStore store_;
  std::unique_ptr<Backend> backend_ = testing::tiny_backend(store_);
};

TEST_F(LocalTokens, AreAsManyAsAnAnswersPromptHas) {
  for (int round = 0; round < 2; ++round) {  // the model is loaded in the first
    const auto ids = count(chat("the sky is blue"));
    EXPECT_GT(ids.size(), 3u);
    EXPECT_EQ(static_cast<int32_t>(ids.size()), prompt_of_an_answer(chat("the sky is blue")));
  }
}

TEST_F(LocalTokens, MayBeMoreThanTheContextButNotAnyNumber) {
  std::string text;
  while (count(chat(text)).size() <= kContext) text += "the sky is blue ";
  EXPECT_THROW(prompt_of_an_answer(chat(text)), Error);
  EXPECT_THROW(count(chat(std::string(1u << 20, 'x'))), Error);
}

TEST_F(LocalTokens, OfAModelThatIsNotThereAreRefused) {
  ChatRequest request = chat("x");
  request.model = "absent";
  EXPECT_THROW(count(std::move(request)), Error);
}

}  // namespace
}  // namespace strata::api
