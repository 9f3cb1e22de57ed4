// A folder of DeBERTa 3's kind that classifies texts, as guards against injected prompts are
// published, end to end: pulled by its path, asked under /models/NAME. testdata/guard.json has what
// transformers' pipeline answers (tests/oracle/text_classifier.py).
#include <cmath>

#include <gtest/gtest.h>

#include "api/gateway/local.h"
#include "api/server.h"
#include "api/testing/client.h"
#include "api/testing/fixture.h"
#include "api/testing/tiny_backend.h"
#include "core/os.h"
#include "core/testing/temp_folder.h"
#include "models/hub/pull.h"
#include "models/testing/hf_model.h"

namespace strata::api {
namespace {

using testing::fetch;

constexpr double kNear = 1e-5;

class ClassifierFolder : public ::testing::Test {
 protected:
  void serve(const json::object& config) {
    models::write_hf_folder(folder_.path(), config, fixture_.at("tensors").as_object());
    write_file_atomic(folder_.path() / "tokenizer.json", to_json(fixture_.at("tokenizer")));
    models::PullOptions options;
    options.as = "guard";
    models::pull(store_.store(), "file:" + folder_.path().string(), options);
    gateway_.add(testing::tiny_backend(store_));
    Services services;
    services.gateway = &gateway_;
    services.metrics = &metrics_;
    services.now_ms = [] { return testing::kNowMs; };
    server_ = std::make_unique<Server>(std::move(services), nullptr);
    ServerOptions server_options;
    server_options.port = 0;
    server_->start(server_options);
  }

  json::value classify(const json::value& texts, const json::value& parameters) {
    const json::object body{{"inputs", texts}, {"parameters", parameters}};
    const auto reply = fetch(server_->port(), "POST", "/models/guard", to_json(body));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body);
  }

  const json::value fixture_ =
      parse_json(read_file(STRATA_SOURCE_DIR "/src/api/dialect/huggingface/testdata/guard.json"));
  strata::testing::TempFolder folder_;
  testing::TinyStore store_;
  Gateway gateway_;
  Metrics metrics_;
  std::unique_ptr<Server> server_;
};

TEST_F(ClassifierFolder, AnswersAsItsReferencesPipeline) {
  serve(fixture_.at("config").as_object());
  for (const auto& asked : fixture_.at("answers").as_array()) {
    const auto lists = classify(fixture_.at("texts"), asked.at("parameters"));
    const json::array& wanted = asked.at("lists").as_array();
    ASSERT_EQ(lists.as_array().size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      const json::array& labels = wanted[i].as_array();
      ASSERT_EQ(lists.at(i).as_array().size(), labels.size()) << asked.at("parameters");
      for (size_t j = 0; j < labels.size(); ++j) {
        EXPECT_EQ(lists.at(i).at(j).at("label"), labels[j].at("label"))
            << fixture_.at("texts").at(i);
        EXPECT_NEAR(lists.at(i).at(j).at("score").to_number<double>(),
                    labels[j].at("score").to_number<double>(), kNear)
            << fixture_.at("texts").at(i);
      }
    }
  }
}

// Else the test above proves nothing about the distances.
TEST_F(ClassifierFolder, WithoutDistancesOfKeysItsScoresAreOthers) {
  json::object config = fixture_.at("config").as_object();
  config["pos_att_type"] = json::array{"p2c"};
  serve(config);
  const auto lists = classify(fixture_.at("texts"), json::object{});
  const auto& wanted = fixture_.at("answers").at(0).at("lists").at(0).at(0);
  EXPECT_GT(std::abs(lists.at(0).at(0).at("score").to_number<double>() -
                     wanted.at("score").to_number<double>()),
            20 * kNear);
}

}  // namespace
}  // namespace strata::api
