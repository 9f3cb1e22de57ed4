// libFuzzer: any bytes are read or refused with strata::Error, with the typed look-ups and the
// families behind the parser.
#include <cstdint>
#include <vector>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/weights.h"
#include "models/format/gguf.h"

namespace {

using strata::models::ModelFile;

void look_up_everything(const ModelFile& file) {
  for (const auto& value : file.values()) {
    const auto ask = [&](auto member) {
      try {
        (file.*member)(value.key);
      } catch (const strata::Error&) {  // of another type
      }
    };
    ask(&ModelFile::integer);
    ask(&ModelFile::number);
    ask(&ModelFile::boolean);
    ask(&ModelFile::text);
    ask(&ModelFile::integers);
    ask(&ModelFile::numbers);
    ask(&ModelFile::texts);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Aligned, as a mapping is.
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = std::byte{data[i]};
  try {
    const auto file = strata::models::parse_gguf(bytes);
    look_up_everything(*file);
    const auto spec = strata::models::describe_model(*file);
    for (const auto& slot : spec.tensors) {
      strata::models::refuse_bad_scales(strata::models::find_weight(*file, slot));
    }
  } catch (const strata::Error&) {
  }
  return 0;
}
