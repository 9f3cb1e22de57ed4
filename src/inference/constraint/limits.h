// What a rule for an answer's text may cost. Beyond it the rule is refused, or the request ends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::inference {

constexpr size_t kMaxRuleBytes = 1 << 20;      // of a grammar, a regular expression, a schema
constexpr int32_t kMaxRuleDepth = 128;         // of brackets in them, of schemas in schemas
constexpr int32_t kMaxExpressionDepth = 4000;  // looked into at once: 2 MB of stack
constexpr size_t kMaxPatternBytes = 8192;      // of one regular expression in a rule
constexpr size_t kMaxExpressions = 1 << 18;    // of one grammar, those that texts led to included
constexpr size_t kMaxTransitions = 4 << 20;    // of them, remembered: 16 MB
constexpr size_t kMaxSearched = 1 << 19;       // of them, in proofs while a rule is compiled: 20 MB
constexpr size_t kMaxByteGroups = 1 << 20;     // of one grammar, a byte each class of bytes
constexpr int64_t kCompileSteps = 4'000'000;   // derivatives while a rule is compiled
constexpr int64_t kSearchSteps = 100'000;      // of one proof that something matches
constexpr int64_t kTextSteps = 4'000'000;      // derivatives for one token
constexpr int64_t kGuessSteps = 10'000;        // of one that is only guessed: some 2 ms
constexpr size_t kMaxIdBytes = 1024;           // of an $id, with those that it stands in
constexpr int32_t kMaxRepeat = 100'000;        // a bound of x{m,n}, minLength, maxItems
constexpr size_t kMaxAlternatives = 256;       // of one schema, all combinations of anyOf together
constexpr int32_t kMostDigits = 20;      // on each side of a number's point: finite for any reader
constexpr size_t kMaxProperties = 1024;  // of one object
constexpr size_t kMaxPatternProperties = 6;  // of one object, all combinations of names together
constexpr size_t kMaxSchemas = 10'000;       // different ones (or combinations) of one rule
constexpr size_t kMaxSchemaPath = 1000;      // that refer to each other, of one value
constexpr size_t kMaxGrammarRules = 2000;    // of EBNF, and as many terminals
constexpr size_t kMaxMaskBytes = 16 << 20;   // remembered masks of one grammar
constexpr size_t kMaxSharedInsideBytes = 16 << 20;  // of a vocabulary, for all grammars

}  // namespace strata::inference
