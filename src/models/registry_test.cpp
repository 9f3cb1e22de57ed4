#include "core/testing/registrations.h"
#include "models/chat/output/output_format.h"
#include "models/family/family.h"
#include "models/hub/source.h"
#include "models/quantized/weight_storage.h"

namespace strata::models {
namespace {

using testing::expect_whole_registry;

TEST(Registry, every_family_source_storage_and_format_of_the_sources_is_there) {
  expect_whole_registry<Family>("Family", "models");
  expect_whole_registry<Source>("Source", "models");
  expect_whole_registry<StorageMethod>("StorageMethod", "models");
  expect_whole_registry<OutputFormat>("OutputFormat", "models");
}

}  // namespace
}  // namespace strata::models
