// Any bytes as the index of a file of beginnings; with the right sum, too, so that what lies behind
// it is reached. What was read is written as the same bytes.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include "core/error.h"
#include "inference/prefix_index.h"

namespace {

constexpr size_t kSumAt = 12;
constexpr size_t kHeadBytes = strata::inference::kPrefixHeadBytes;

void read(const std::string& bytes) {
  using namespace strata::inference;
  try {
    const auto index = parse_prefix_index(std::as_bytes(std::span(bytes)), bytes.size());
    if (!bytes.starts_with(index_bytes(index))) std::abort();
    for (const auto& node : index.nodes) {
      for (size_t p = 0; p < node.blocks.size(); ++p) {
        if (!node.blocks[p].there) continue;
        if (node.blocks[p].offset + index.block_bytes[p] > bytes.size()) std::abort();
      }
    }
  } catch (const strata::Error& error) {
    const auto code = error.code();
    if (code != strata::Code::data_loss && code != strata::Code::failed_precondition) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  if (size < kHeadBytes) return 0;
  uint64_t length = 0;
  std::memcpy(&length, bytes.data() + kHeadBytes - sizeof length, sizeof length);
  if (length > size - kHeadBytes) return 0;
  const auto body = std::as_bytes(std::span(bytes)).subspan(kHeadBytes, length);
  const uint32_t sum = strata::inference::prefix_sum(body);
  std::memcpy(bytes.data() + kSumAt, &sum, sizeof sum);
  read(bytes);
  return 0;
}
