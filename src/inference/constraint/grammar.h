// A compiled rule for an answer's text.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "inference/constraint/expression.h"
#include "inference/constraint/output_rule.h"

namespace strata::inference {

// Shared by all answers that follow it. It grows while texts are matched: hold `mutex` for that.
struct Grammar {
  std::mutex mutex;
  Expressions expressions;
  ExprId start = Expressions::kNothing;
};

// Errors: invalid_argument (what is wrong or cannot be honoured; of a schema the message begins
// with its JSON pointer; a rule that no text follows), resource_exhausted (limits.h).
std::shared_ptr<Grammar> compile(const OutputRule& rule);
// Free text with triggers, at least one. Of the frame's front what may stand before bare ones.
std::shared_ptr<Grammar> compile(const std::vector<OutputTrigger>& triggers,
                                 const OutputFrame& frame = {});
// Either text by the rule, or what triggers begin, one behind the other; and what the frame says.
std::shared_ptr<Grammar> compile(const OutputRule& rule, const std::vector<OutputTrigger>& triggers,
                                 const OutputFrame& frame);

}  // namespace strata::inference
