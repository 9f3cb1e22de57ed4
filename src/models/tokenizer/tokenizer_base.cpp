#include "models/tokenizer/tokenizer_base.h"

#include "core/error.h"
#include "core/log.h"

namespace strata::models {

void TokenizerBase::check_id(TokenId id) const {
  if (id >= 0 && id < n_vocab()) return;
  throw Error(Code::invalid_argument,
              fmt::format("token id {} is not in the vocabulary of {}", id, n_vocab()));
}

TokenKind TokenizerBase::kind(TokenId id) const {
  check_id(id);
  return vocabulary_.kind(id);
}

void TokenizerBase::report_lost_byte(uint8_t byte) const {
  if (reported_.exchange(true)) return;
  log_warn(
      "the model's vocabulary has no token for byte 0x{:02X}: such bytes are left out of what "
      "the model reads",
      byte);
}

}  // namespace strata::models
