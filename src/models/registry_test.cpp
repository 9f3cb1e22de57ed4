#include "core/testing/registrations.h"
#include "models/family/family.h"
#include "models/hub/source.h"

namespace strata::models {
namespace {

using testing::expect_whole_registry;

TEST(Registry, every_family_and_source_of_the_sources_is_there) {
  expect_whole_registry<Family>("Family", "models");
  expect_whole_registry<Source>("Source", "models");
}

}  // namespace
}  // namespace strata::models
