// For tests: every field that a client library's types say a request may have is sent alone, and
// what it does is looked at. A dialect brings data: files that tests/oracle/wire_fields.py wrote,
// and one that says which fields are ignored, refused, or say what is so anyway.
//
//   {"route": "/v1/…", "base": {a request}, "fields": [
//     {"field": "tools[function].function.name", "with": {…}, "without": {…}}]}
//
// `with` and `without` (nothing when absent) are put over the base.
#pragma once

#include <map>
#include <string>

#include "api/testing/fixture.h"
#include "api/testing/recording_backend.h"

namespace strata::api::testing {

enum class FieldEffect {
  honoured,  // the answer or what the backend is asked is another one
  refused,   // 400 or 501, by name
  ignored,   // named in x-strata-ignored
  none,      // nothing at all: a fault, unless it says what is so anyway
  unseen     // something that it lies in is refused or ignored
};

// The model names that a walk's requests may use.
struct FieldWalk {
  explicit FieldWalk(ScriptedOptions script, Services services = {});
  // By "route field". `file`: below src/, as wire_fields.py wrote it.
  std::map<std::string, FieldEffect> effects(const std::string& file);

  RecordingBackend* backend;  // the server's
  Running running;

 private:
  FieldWalk(std::unique_ptr<RecordingBackend> recording, Services services);
  struct Seen {
    int status = 0;
    std::string ignored, answer, asked, param;
  };
  Seen send(const std::string& route, const json::object& base, const json::value* over);
  FieldEffect effect(const std::string& route, const json::object& base, const json::object& field);
};

// Compares the effects of all of `files` in `folder` (below src/) with outcome.json there:
// {"ignored": […], "refused": […], "default": […]}, by field. Fails on every field whose effect is
// another, and when more than 5 % are ignored or more than 15 % refused.
void expect_effects(FieldWalk& walk, const std::string& folder,
                    const std::vector<std::string>& files);

}  // namespace strata::api::testing
