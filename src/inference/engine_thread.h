// Makes an engine of an executor: the thread, its mailbox and the handles.
#pragma once

#include <memory>

#include "inference/engine.h"
#include "inference/executor.h"

namespace strata::inference {

// Error{invalid_argument}: an option is out of its range.
void check_options(const EngineOptions& options);

// context: positions that one request may use. The executor is used on the engine's thread only.
// Errors: those of check_options.
std::unique_ptr<Engine> make_engine(std::shared_ptr<const models::Model> model,
                                    std::unique_ptr<Executor> executor,
                                    const EngineOptions& options, int32_t context);

}  // namespace strata::inference
