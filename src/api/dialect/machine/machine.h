// The machine's dialect, internal to this folder: what this machine can hold, models that come and
// are made, what a hub has, and how the server did. docs/app.md describes the routes.
#pragma once

#include <string>

#include "api/dialect/dialect.h"
#include "core/json.h"

namespace strata::api::machine {

constexpr uint64_t kUsualContext = 4096;  // that memory is foretold for where none is asked for

std::string param(const Exchange& exchange, std::string_view name);
// A query's number; FieldError unless it is one in the range.
uint64_t query_number(const Exchange& exchange, std::string_view name, uint64_t low, uint64_t high,
                      uint64_t otherwise);
void respond_json(Exchange& exchange, const json::value& body);
// Error{unimplemented} where the server keeps no models of its own.
ModelLibrary& library_of(const Services& services);

// A route of this dialect; `handle` runs beside HTTP's thread.
using Handle = void (*)(const Services&, Exchange&);
void add_route(RouteTable& table, const Services& services, std::string method, std::string pattern,
               Scope scope, size_t body_limit, Handle handle, Lane lane = Lane::store);

void add_model_routes(RouteTable& table, const Services& services);
void add_job_routes(RouteTable& table, const Services& services);
void add_hub_routes(RouteTable& table, const Services& services);
void add_server_routes(RouteTable& table, const Services& services);

}  // namespace strata::api::machine
