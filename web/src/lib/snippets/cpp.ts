import { address, bearer, lines, pretty, readsKey, type Ask } from './ask';

function raw(ask: Ask) {
  const text = pretty(ask);
  let mark = 'json';
  while (text.includes(`)${mark}"`)) mark += '_';
  return `R"${mark}(${text})${mark}"`;
}

// The standard library reads no JSON: what is printed is the answer as it comes.
export function cpp(ask: Ask) {
  return lines(
    `// c++ ask.cpp -lcurl`,
    `#include <curl/curl.h>`,
    readsKey(ask) && ``,
    readsKey(ask) && `#include <cstdlib>`,
    readsKey(ask) && `#include <string>`,
    ``,
    `const char body[] = ${raw(ask)};`,
    ``,
    `int main() {`,
    `  CURL* curl = curl_easy_init();`,
    `  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");`,
    readsKey(ask) && `  const char* key = std::getenv("STRATA_API_KEY");`,
    readsKey(ask) && `  const std::string authorization = std::string("Authorization: Bearer ") + (key ? key : "");`,
    readsKey(ask) && `  headers = curl_slist_append(headers, authorization.c_str());`,
    bearer(ask) && `  headers = curl_slist_append(headers, "Authorization: ${bearer(ask)}");`,
    `  curl_easy_setopt(curl, CURLOPT_URL, "${address(ask)}");`,
    `  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);`,
    `  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);`,
    `  const CURLcode code = curl_easy_perform(curl);  // prints what comes`,
    `  long status = 0;`,
    `  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);`,
    `  curl_slist_free_all(headers);`,
    `  curl_easy_cleanup(curl);`,
    `  return code == CURLE_OK && status == 200 ? 0 : 1;`,
    `}`,
  );
}
