// Limits of reading a document.
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::api {

constexpr size_t kMaxDocumentBytes = 32u << 20;
constexpr size_t kMaxDocumentText = 1u << 20;     // a quarter of a million tokens
constexpr size_t kMaxDocumentPart = 32u << 20;    // a part of an archive, unpacked
constexpr int kMaxXmlDepth = 256;                 // tables in tables in text boxes have 60
constexpr uint64_t kDocumentMemory = 512u << 20;  // address space of the reading process
constexpr uint64_t kDocumentCpuSeconds = 20;      // a thousand pages take two
constexpr uint64_t kDocumentTimeoutMs = 60'000;   // on a busy machine
constexpr size_t kMaxDocumentErrors = 64u << 10;  // of what the reading process complains
constexpr size_t kDocumentThreads = 1;            // so much is read at once
constexpr size_t kMaxWaitingDocuments = 16;

}  // namespace strata::api
