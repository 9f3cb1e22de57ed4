// "Copy as code": the request of an answer as a program, with standard libraries only.

export interface Ask {
  url: string; // of this server
  withKey: boolean; // the program reads STRATA_API_KEY
  body: Record<string, unknown>; // of /v1/chat/completions
}

const path = '/v1/chat/completions';
const compact = (ask: Ask) => JSON.stringify(ask.body);
// A JSON text as a literal: JSON's escapes are those of these languages, too.
const quoted = (ask: Ask) => JSON.stringify(compact(ask));
const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl(ask: Ask) {
  const key = ask.withKey ? ` \\\n  -H "Authorization: Bearer $STRATA_API_KEY"` : '';
  return `curl ${ask.url}${path} \\\n  -H 'Content-Type: application/json'${key} \\\n  -d ${shell(compact(ask))}\n`;
}

function python(ask: Ask) {
  return `import json
import os
import urllib.request

body = json.loads(${quoted(ask)})
request = urllib.request.Request(
    "${ask.url}${path}",
    data=json.dumps(body).encode(),
    headers={"Content-Type": "application/json"${ask.withKey ? ', "Authorization": "Bearer " + os.environ["STRATA_API_KEY"]' : ''}},
)
with urllib.request.urlopen(request) as response:
    print(json.load(response)["choices"][0]["message"]["content"])
`;
}

function javascript(ask: Ask) {
  return `const response = await fetch("${ask.url}${path}", {
  method: "POST",
  headers: { "Content-Type": "application/json"${ask.withKey ? ', Authorization: `Bearer ${process.env.STRATA_API_KEY}`' : ''} },
  body: JSON.stringify(${JSON.stringify(ask.body, null, 2).replaceAll('\n', '\n  ')}),
});
if (!response.ok) throw new Error(await response.text());
console.log((await response.json()).choices[0].message.content);
`;
}

function go(ask: Ask) {
  return `package main

import (
	"fmt"
	"io"
	"net/http"
${ask.withKey ? '\t"os"\n' : ''}	"strings"
)

func main() {
	body := ${quoted(ask)}
	request, err := http.NewRequest("POST", "${ask.url}${path}", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Content-Type", "application/json")
${ask.withKey ? '\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("STRATA_API_KEY"))\n' : ''}	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(answer))
}
`;
}

function java(ask: Ask) {
  return `import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class Main {
  public static void main(String[] args) throws Exception {
    String body = ${quoted(ask)};
    HttpRequest request = HttpRequest.newBuilder(URI.create("${ask.url}${path}"))
        .header("Content-Type", "application/json")
${ask.withKey ? '        .header("Authorization", "Bearer " + System.getenv("STRATA_API_KEY"))\n' : ''}        .POST(HttpRequest.BodyPublishers.ofString(body))
        .build();
    HttpResponse<String> response =
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    System.out.println(response.body());
  }
}
`;
}

function cpp(ask: Ask) {
  return `// c++ -std=c++17 ask.cpp -lcurl
#include <curl/curl.h>
${ask.withKey ? '\n#include <cstdlib>\n#include <string>\n' : ''}
int main() {
  const char* body = ${quoted(ask)};
  CURL* curl = curl_easy_init();
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
${ask.withKey ? '  const std::string key = std::string("Authorization: Bearer ") + std::getenv("STRATA_API_KEY");\n  headers = curl_slist_append(headers, key.c_str());\n' : ''}  curl_easy_setopt(curl, CURLOPT_URL, "${ask.url}${path}");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
  const CURLcode code = curl_easy_perform(curl);  // the answer goes to standard output
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  return code == CURLE_OK ? 0 : 1;
}
`;
}

export const languages = { curl, Python: python, JavaScript: javascript, Go: go, Java: java, 'C++': cpp };
export type Language = keyof typeof languages;
