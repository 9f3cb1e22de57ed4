import { address, bearer, hasChoices, hasTools, lines, literal, readsKey, streams, type Ask } from './ask';

const words = { yes: 'True', no: 'False', nothing: 'None', key: (quoted: string) => quoted };

const whole = (ask: Ask) => [
  `with response:`,
  `    answer = json.load(response)`,
  `for choice in answer["choices"]:`,
  `    message = choice["message"]`,
  `    print(message["content"] or "")`,
  hasTools(ask) && `    for call in message.get("tool_calls", []):`,
  hasTools(ask) && `        print(call["function"]["name"], call["function"]["arguments"])`,
];

const streamed = (ask: Ask) => [
  `with response:`,
  `    for line in response:`,
  `        if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):`,
  `            continue`,
  `        chunk = json.loads(line[6:])`,
  `        if "error" in chunk:`,
  `            sys.exit(chunk["error"]["message"])`,
  `        for choice in chunk["choices"]:`,
  `            delta = choice["delta"]`,
  hasChoices(ask) && `            print(choice["index"], json.dumps(delta))`,
  !hasChoices(ask) && `            print(delta.get("content") or "", end="", flush=True)`,
  !hasChoices(ask) && hasTools(ask) && `            for call in delta.get("tool_calls", []):`,
  !hasChoices(ask) && hasTools(ask) && `                if "name" in call["function"]:`,
  !hasChoices(ask) && hasTools(ask) && `                    print("\\n" + call["function"]["name"], end=" ")`,
  !hasChoices(ask) && hasTools(ask) && `                print(call["function"]["arguments"], end="", flush=True)`,
  !hasChoices(ask) && `print()`,
];

export function python(ask: Ask) {
  return lines(
    `import json`,
    readsKey(ask) && `import os`,
    `import sys`,
    `import urllib.error`,
    `import urllib.request`,
    ``,
    `body = ${literal(ask.body, words, '    ')}`,
    `request = urllib.request.Request(`,
    `    "${address(ask)}",`,
    `    data=json.dumps(body).encode(),`,
    `    headers={`,
    `        "Content-Type": "application/json",`,
    readsKey(ask) && `        "Authorization": "Bearer " + os.environ["STRATA_API_KEY"],`,
    bearer(ask) && `        "Authorization": "${bearer(ask)}",`,
    `    },`,
    `)`,
    `try:`,
    `    response = urllib.request.urlopen(request)`,
    `except urllib.error.HTTPError as error:`,
    `    sys.exit(error.read().decode())`,
    ...(streams(ask) ? streamed(ask) : whole(ask)),
  );
}
