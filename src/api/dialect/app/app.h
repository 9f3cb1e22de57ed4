// The app's dialect, internal to this folder: conversations that windows share, answers that run
// without their window, votes, signing in, and the app's files. docs/app.md describes the routes.
#pragma once

#include <memory>
#include <string>

#include "api/conversation/history.h"
#include "api/dialect/dialect.h"

namespace strata::api::app {

// Error{failed_precondition} where nothing is kept.
History& history_of(const Services& services);
std::string param(const Exchange& exchange, std::string_view name);
// Whether what this owner made is still to be shown: not when his key was revoked or has expired,
// nor when that cannot be told. "": nobody's key, always.
bool is_live(const Services& services, const std::string& owner);
void respond_json(Exchange& exchange, const json::value& body);
json::object message_json(const std::string& thread, const ThreadMessage& message);

void add_thread_routes(RouteTable& table, const Services& services, const Dialect& dialect);
void add_share_routes(RouteTable& table, const Services& services, const Dialect& dialect);
void add_session_routes(RouteTable& table, const Services& services, const Dialect& dialect);
void add_vote_routes(RouteTable& table, const Services& services, const Dialect& dialect);
void add_schema_route(RouteTable& table, const Dialect& dialect);
void add_document_route(RouteTable& table, const Services& services, const Dialect& dialect);

}  // namespace strata::api::app
