#include "app/cli/command.h"
#include "core/testing/registrations.h"

namespace strata::app {
namespace {

using testing::expect_whole_registry;

TEST(Registry, every_command_of_the_sources_is_there) {
  expect_whole_registry<Command>("Command", "app");
}

}  // namespace
}  // namespace strata::app
