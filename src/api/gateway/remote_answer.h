// The remote backend's parts, internal to this folder: one answer of another strata, and how its
// lines are read.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "api/gateway/backend.h"
#include "core/error.h"
#include "core/net.h"

namespace strata::api {

// One answer of the server at base_url, on a thread of its own. Error{unimplemented} for what its
// interface cannot carry.
std::unique_ptr<Answer> start_remote_answer(const std::string& base_url, const std::string& key,
                                            ChatRequest request, ChatSink sink);

// The server that the user named may lie at a private address.
NetPolicy policy_for_server(const std::string& url);
// What an answer that is not 200 says.
Error refusal_of(int status, const std::string& body);
// 0 and "" where there is no such number or text.
int64_t integer_of(const json::object& line, std::string_view name);
std::string text_of(const json::object& line, std::string_view name);

}  // namespace strata::api
