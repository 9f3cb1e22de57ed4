// libFuzzer: any bytes are read or refused with strata::Error, with the typed look-ups and the
// families behind the parser.
#include <cstdint>
#include <vector>

#include "core/error.h"
#include "models/family/family.h"
#include "models/family/weights.h"
#include "models/format/gguf.h"

namespace {

using strata::models::GgufFile;

void look_up_everything(const GgufFile& file) {
  for (const auto& value : file.values()) {
    const auto ask = [&](auto member) {
      try {
        (file.*member)(value.key);
      } catch (const strata::Error&) {  // of another type
      }
    };
    ask(&GgufFile::integer);
    ask(&GgufFile::number);
    ask(&GgufFile::boolean);
    ask(&GgufFile::text);
    ask(&GgufFile::integers);
    ask(&GgufFile::numbers);
    ask(&GgufFile::texts);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Aligned, as a mapping is.
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = std::byte{data[i]};
  try {
    const auto file = GgufFile::parse(bytes);
    look_up_everything(*file);
    for (const auto& tensor : file->tensors()) refuse_bad_scales(tensor);
    strata::models::describe_model(*file);
  } catch (const strata::Error&) {
  }
  return 0;
}
