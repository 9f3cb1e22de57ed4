// How the answers to one prompt are read: found out from the template, the vocabulary, the prompt's
// end and what the request offers.
#pragma once

#include <memory>

#include "models/chat/output/output_parser.h"

namespace strata::models {

struct OutputPlan {
  OutputOptions options;
  std::vector<TokenId> spelled;       // control tokens that markers are written with, ascending
  std::vector<TokenId> closing;       // ends the reasoning; empty: the model has no reasoning
  int32_t max_reasoning_tokens = -1;  // then the closing is put in its place; -1: no limit
  int32_t max_calls = -1;             // then the answer ends
};

// null: the text is taken as it is, since neither reasoning nor calls can stand in it.
// `prompt`: what the template wrote. `format`: of calls, instead of the template's own.
std::shared_ptr<OutputPlan> plan_output(std::string_view template_source,
                                        const Tokenizer& tokenizer, std::string_view prompt,
                                        ToolSet tools, const OutputFormat* format = nullptr);

// What stands before the text and the calls of answers that are read so; `may_think`: reasoning,
// too, where it has not begun.
AnswerFront answer_front(const OutputOptions& options, bool may_think);

}  // namespace strata::models
