#include "models/model.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "core/error.h"
#include "models/testing/formula_model.h"

namespace strata::models {
namespace {

using testing::HasSubstr;

constexpr const char* kTemplate =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}";

class LoadModel : public testing::Test {
 protected:
  void SetUp() override {
    path_ =
        std::filesystem::temp_directory_path() / fmt::format("strata-model-{}.gguf", ::getpid());
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::shared_ptr<const Model> load(const GgufBuilder& builder, ModelOverrides overrides = {}) {
    const auto bytes = builder.build();
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return load_model(path_, "tiny", std::move(overrides));
  }

  // A tiny model whose vocabulary spells every byte.
  static GgufBuilder with_bytes() {
    GgufBuilder builder = tiny_llama();
    std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
    std::vector<int32_t> kinds{2, 3, 3};
    for (int byte = 0; byte < 256; ++byte) {
      tokens.push_back(fmt::format("<0x{:02X}>", byte));
      kinds.push_back(6);
    }
    builder.set_texts("tokenizer.ggml.tokens", tokens);
    builder.set_i32s("tokenizer.ggml.token_type", kinds);
    builder.set_f32s("tokenizer.ggml.scores", std::vector<float>(tokens.size(), 0.0f));
    builder.set_bool("tokenizer.ggml.add_bos_token", true);
    builder.set_bool("tokenizer.ggml.add_space_prefix", false);
    std::erase_if(builder.tensors, [](auto& t) { return t.name == "token_embd.weight"; });
    add_formula_tensor(builder, "token_embd.weight", 32, tokens.size());
    return builder;
  }

  static Conversation conversation() {
    Conversation conversation;
    conversation.messages.push_back({"user", "a</s>", {}, {}, {}, {}});
    return conversation;
  }

  static std::string text(const Model& model, const std::vector<TokenId>& ids) {
    return model.tokenizer->decode(ids, true);
  }

  std::filesystem::path path_;
};

TEST_F(LoadModel, ABaseModelSaysWhatItIs) {
  const auto model = load(with_bytes());
  EXPECT_EQ(model->name, "tiny");
  EXPECT_EQ(model->chat_template, nullptr);
  try {
    encode_conversation(*model, conversation());
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::failed_precondition);
    EXPECT_THAT(error.message(), HasSubstr("base model"));
    EXPECT_THAT(error.hint(), HasSubstr("TEMPLATE"));
  }
}

TEST_F(LoadModel, RendersWithOneBosAndNoControlTokenFromTheUser) {
  GgufBuilder builder = with_bytes();
  builder.set_text("tokenizer.chat_template", kTemplate);
  const auto model = load(builder);
  const auto ids = encode_conversation(*model, conversation());
  EXPECT_EQ(text(*model, ids), "<s>[user]a</s>");
  EXPECT_EQ(std::ranges::count(ids, 1), 1);
  EXPECT_EQ(std::ranges::count(ids, 2), 0);

  ModelOverrides without_bos;
  without_bos.chat_template = "{{ messages[0].content }}";
  const auto other = load(builder, without_bos);
  EXPECT_EQ(encode_conversation(*other, conversation()).front(), 1);
}

TEST_F(LoadModel, PutsItsOwnMessagesInFront) {
  ModelOverrides overrides;
  overrides.chat_template = kTemplate;
  overrides.system = "S";
  overrides.messages.push_back({"user", "b", {}, {}, {}, {}});
  const auto model = load(with_bytes(), overrides);
  EXPECT_EQ(text(*model, encode_conversation(*model, conversation())),
            "<s>[system]S[user]b[user]a</s>");
  Conversation own = conversation();
  own.messages.insert(own.messages.begin(), {"system", "T", {}, {}, {}, {}});
  EXPECT_EQ(text(*model, encode_conversation(*model, own)), "<s>[system]T[user]b[user]a</s>");
}

}  // namespace
}  // namespace strata::models
