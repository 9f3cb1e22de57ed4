// Limits of the room: how much of anything a client may make the server hold, and for how long.
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::api {

// HTTP. A header block of 64 KiB holds any cookie jar; a target of 8 KiB any sensible query.
constexpr size_t kMaxHeaderBytes = 64u << 10;
constexpr size_t kMaxTargetBytes = 8u << 10;
constexpr size_t kMaxHeaderFields = 128;
constexpr size_t kMaxPipelinedBytes = 64u << 10;  // of the next requests, while one is answered
constexpr size_t kMaxBodyBytes = 16u << 20;       // a conversation of a million tokens is 4 MiB
constexpr size_t kMaxUploadBytes = 64u << 20;     // a file for a batch
constexpr size_t kMaxSmallBodyBytes = 64u << 10;  // requests that only name something
constexpr size_t kMaxConnections = 2048;
constexpr size_t kMaxStreamBacklogBytes = 1u << 20;  // answered, but not yet read by the client
constexpr size_t kMaxHeldRequestBytes = 512u << 20;  // of all bodies, but small ones
constexpr size_t kMaxHeldAnswerBytes = 256u << 20;   // of all that nobody has read yet
constexpr size_t kMaxDiscardedBytes = 16u << 20;     // of a refused body, read so that it can hear
constexpr int64_t kIdleTimeoutMs = 120'000;          // between two requests of a connection
constexpr int64_t kHeaderTimeoutMs = 30'000;         // from a header's first byte to its last
constexpr int64_t kBodyPauseTimeoutMs = 30'000;      // between two pieces of a body
constexpr int64_t kBodyTimeoutMs = 600'000;          // for all of a body: 28 KB a second at least
constexpr int64_t kWriteTimeoutMs = 60'000;          // for the client to take one piece
constexpr size_t kMaxWaitingHubQuestions = 16;
constexpr size_t kSideThreads = 2;               // of each lane beside HTTP's own thread
constexpr size_t kMaxWaitingPrompts = 1024;      // to be read, rendered and encoded
constexpr size_t kMaxWaitingStoreRequests = 64;  // that list, show or change the store
constexpr int64_t kPingIntervalMs = 10'000;      // silence after which a stream gets a comment

// Requests.
constexpr size_t kMaxJsonDepth = 32;
constexpr size_t kMaxMessages = 8192;
constexpr size_t kMaxContentParts = 1024;
constexpr size_t kMaxToolCalls = 128;  // in one message
constexpr size_t kMaxTools = 512;      // of one request
constexpr size_t kMaxToolNameBytes = 128;
constexpr size_t kMaxOutputChoices = 4096;  // texts of which an answer has to be one
constexpr size_t kMaxStopStrings = 16;
constexpr size_t kMaxStopBytes = 256;
constexpr size_t kMaxLogitBias = 4096;
constexpr size_t kMaxPrompts = 64;  // completions: prompts in one request
constexpr int32_t kMaxChoices = 32;
constexpr size_t kMaxAnswers = 256;            // of one request: prompts times choices
constexpr size_t kMaxEmbeddingInputs = 2048;   // of one request, as OpenAI has it
constexpr size_t kMaxMaskTargets = 4096;       // tokens among which a mask is guessed
constexpr int64_t kMaxFilledTokens = 1 << 24;  // of all texts with a mask filled in, of one answer
constexpr size_t kMaxDocuments = 2048;         // to rank in one request
constexpr int32_t kMaxTopLogprobs = 20;
constexpr int64_t kMostWritingMs = int64_t{1} << 40;  // longer limits of an answer are none
constexpr size_t kMaxModelNameBytes = 512;

// A chat template that a request brings. Models' own ones may use more: an operator chose them.
constexpr size_t kMaxRequestTemplateBytes = 64u << 10;  // the longest of today has 20 KB
constexpr size_t kMaxRequestTemplateSteps = 200'000;
constexpr size_t kMaxRequestTemplateOutput = 4u << 20;
constexpr size_t kMaxRequestTemplateMemory = 32u << 20;

}  // namespace strata::api
