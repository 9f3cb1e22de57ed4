// What a vocabulary and a text may hold at most.
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::models {

constexpr size_t kMaxVocabulary = 1u << 24;            // largest known: 262,144
constexpr int64_t kMaxSentinels = 1024;                // all known: 100
constexpr size_t kMaxMerges = 1u << 25;                // largest known: 514,906
constexpr size_t kMaxTokenBytes = 1u << 14;            // largest known: 1,024
constexpr size_t kMaxTokenizerJsonBytes = 256u << 20;  // largest known: 33 MB
constexpr size_t kMaxTextBytes = 1u << 30;             // so that ids of one text fit an int32 count
constexpr size_t kMaxTextGrowth = 64;            // by normalising; Unicode's own longest: 11 times
constexpr size_t kMaxDecodedGrowth = 16;         // of a token; all known: once, and one space
constexpr size_t kMaxDecoderSteps = 64;          // largest known: 5
constexpr size_t kMaxProbes = 1024;              // of a hash table; a crafted file would need more
constexpr uint32_t kRegexMatchLimit = 50000000;  // PCRE2 steps for one word
// Of a whole text: so many, and so many more for each of its bytes.
constexpr uint64_t kRegexTextSteps = 50000000;
constexpr uint64_t kRegexStepsPerByte = 1000;
// Of a token that is decoded alone, likewise: there are as many as the vocabulary has.
constexpr uint64_t kRegexTokenSteps = 16000;
constexpr size_t kRegexWindow = 512;                  // bytes that a match looks at without charge
constexpr uint32_t kRegexFreeSteps = 64;              // of one match there; they are not counted
constexpr uint32_t kRegexFreeStepsWithoutJit = 1024;  // PCRE2 counts finer then
constexpr int64_t kMaxWordCharacters = 1000;          // of WordPiece; all known: 100
constexpr size_t kMaxCharsmapBytes = 1u << 24;        // largest known: 247,165
constexpr size_t kMaxCharsmapKey = 256;               // bytes; longest known: 12
constexpr size_t kMaxPatternBytes = 1u << 14;         // of one split pattern; largest known: 1,500
constexpr size_t kRegexStackBytes = 64u << 20;        // backtracking memory of PCRE2's JIT

}  // namespace strata::models
