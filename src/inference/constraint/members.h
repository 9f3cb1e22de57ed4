// Which of the objects that a schema allows are written. JSON Schema allows names that a schema
// does not list, and members in any order; who asks a model for an answer means neither.
#pragma once

namespace strata::inference {

enum class Members {
  any,       // whatever the schema allows
  as_listed  // names that are listed, in their order, unless additionalProperties says that others
             // may come; without "type", but with words about objects or arrays, one of these
};

}  // namespace strata::inference
