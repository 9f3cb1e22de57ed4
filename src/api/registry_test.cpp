#include "api/dialect/dialect.h"
#include "core/testing/registrations.h"

namespace strata::api {
namespace {

using testing::expect_whole_registry;

TEST(Registry, every_dialect_of_the_sources_is_there) {
  expect_whole_registry<Dialect>("Dialect", "api");
}

}  // namespace
}  // namespace strata::api
