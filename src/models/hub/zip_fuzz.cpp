// Any bytes as a zip archive, from which the member "m" is read.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "core/testing/temp_folder.h"
#include "models/hub/zip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using strata::File;
  static const strata::testing::TempFolder folder;
  static const auto path = folder.path() / "x.zip";
  File::open(path, File::Mode::truncate).write(std::as_bytes(std::span(data, size)));
  File archive = File::open(path, File::Mode::read);
  try {
    const auto member = strata::models::find_in_zip(archive, "m", "x.zip");
    uint64_t sum = 0;
    strata::models::read_zip_member(archive, member,
                                    [&](std::span<const std::byte> bytes) { sum += bytes.size(); });
    if (sum != member.size) std::abort();
  } catch (const strata::Error& error) {
    const auto code = error.code();
    if (code != strata::Code::data_loss && code != strata::Code::not_found &&
        code != strata::Code::unimplemented) {
      std::abort();
    }
  }
  return 0;
}
