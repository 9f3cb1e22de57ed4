#include "api/store_errors.h"

#include <gtest/gtest.h>

namespace strata::api {
namespace {

TEST(StoreErrors, NameNoPathOfTheServer) {
  const auto told = [](const std::string& text) {
    return without_paths(Error(Code::data_loss, text, text), "/srv/models/");
  };
  const Error error =
      told("/srv/models/blobs/sha256-00ff is cut, /srv/models/views/a/b-1.gguf: too");
  EXPECT_EQ(error.code(), Code::data_loss);
  EXPECT_EQ(error.message(), "a file of the store is cut, a file of the store: too");
  EXPECT_EQ(error.hint(), error.message());
  EXPECT_EQ(told("cannot write to /srv/models").message(), "cannot write to the store");
  EXPECT_EQ(told("'/srv/models/locks/x.lock' is held").message(), "'a file of the store' is held");
  EXPECT_EQ(told("/srv/models").message(), "the store");
  EXPECT_EQ(told("nothing to hide").message(), "nothing to hide");
}

TEST(StoreErrors, ASpoiltFileIsNotTheRequestsFault) {
  models::Manifest manifest;
  manifest.name = "tiny:latest";
  const Error spoilt =
      unreadable_model(Error(Code::invalid_argument, "/s/blobs/x is empty"), manifest, "/s");
  EXPECT_EQ(spoilt.code(), Code::data_loss);
  EXPECT_EQ(spoilt.message(), "tiny:latest cannot be opened: a file of the store is empty");
  EXPECT_FALSE(spoilt.hint().empty());
  const Error new_kind =
      unreadable_model(Error(Code::unimplemented, "no such family", "wait"), manifest, "/s");
  EXPECT_EQ(new_kind.code(), Code::unimplemented);
  EXPECT_EQ(new_kind.hint(), "wait");
}

}  // namespace
}  // namespace strata::api
