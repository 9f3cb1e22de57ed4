#include "core/secrets.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/log.h"
#include "core/testing/temp_folder.h"

namespace strata {
namespace {

TEST(MaskSecrets, TakesOutWhatOpensSomethingAndLeavesTheRest) {
  const std::string secret(43, 'A');
  for (const std::string& text :
       {"sk-strata-" + secret, "sk-proj-" + secret, "hf_" + secret, "session-strata-" + secret,
        "invitation-strata-" + secret, "Authorization: Bearer " + secret,
        "authorization: bearer " + secret, "GET /v1beta/models?key=" + secret + "&x=1",
        "?api_key=" + secret, "?token=" + secret, "password=" + secret, "X-Amz-Signature=" + secret,
        "twice sk-strata-" + secret + " and hf_" + secret}) {
    const std::string masked = mask_secrets("before " + text + " after");
    EXPECT_EQ(masked.find("AAAA"), std::string::npos) << masked;
    EXPECT_TRUE(masked.starts_with("before ") && masked.ends_with(" after")) << masked;
  }
  for (const char* text : {"", "task-force is quiet", "a disk-full error", "the key=5", "ask-ed",
                           "GET /api/v1/keys 200", "half_way", "hf_tokenizer.json", "a://b",
                           "pull hf:own/repo:Q8_0", "https://host:80/a%20b/c.gguf#sha256=ab"}) {
    EXPECT_EQ(mask_secrets(text), text);
  }
}

TEST(MaskSecrets, OfUrlsUserPasswordAndQueryGo) {
  for (const auto& [text, masked] : std::initializer_list<std::pair<const char*, const char*>>{
           {"'https://me:pa%20ss@host/a?x=1&sig=2#sha256=ab' failed",
            "'https://…@host/a?…#sha256=ab' failed"},
           {"http://only@host", "http://…@host"},
           {"http://a@b@host:1/p@q", "http://…@host:1/p@q"},
           {"https://host?", "https://host?"},
           {"https://host/?a", "https://host/?…"},
           {"one http://u:p@a/ two http://b/?c \"ftp://x:y@z\"",
            "one http://…@a/ two http://b/?… \"ftp://…@z\""},
           {"http://a@b/http://u:p@c/?d", "http://…@b/http://…@c/?…"},
           {"://://a@b://c?d", "://://…@b://c?…"},
           {"what://", "what://"}}) {
    EXPECT_EQ(mask_secrets(text), masked);
  }
}

TEST(MaskSecrets, KeptValuesGoWhereverTheyStand) {
  keep_secret("correct horse");
  keep_secret("abc");
  EXPECT_EQ(mask_secrets("xcorrect horsex, correct horse; abc"), "x…x, …; abc");
  const strata::testing::ScopedEnvironment variable("STRATA_TEST_CREDENTIAL", "battery staple");
  EXPECT_EQ(secret_environment("STRATA_TEST_CREDENTIAL"), "battery staple");
  EXPECT_EQ(secret_environment("STRATA_TEST_NO_CREDENTIAL"), std::nullopt);
  const Error error(Code::unavailable, "no battery staple", "take http://u:p@h/ or correct horse");
  EXPECT_EQ(error.message(), "no …");
  EXPECT_EQ(error.hint(), "take http://…@h/ or …");
  EXPECT_STREQ(error.what(), "no … (take http://…@h/ or …)");
  ::testing::internal::CaptureStderr();
  log_error("a battery staple");
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("a …\n"), std::string::npos);
}

TEST(MaskSecrets, AnyNumberIsKeptButTheOldestGive) {
  for (int i = 0; i < 100; ++i) keep_secret(fmt::format("number {:03}", i));
  EXPECT_EQ(mask_secrets("number 000, number 099"), "number 000, …");
}

}  // namespace
}  // namespace strata
