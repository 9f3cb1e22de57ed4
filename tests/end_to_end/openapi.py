"""Every operation of /openapi.json, asked in broken and in right ways of a server with scripted answers:
what it answers is among the statuses and kinds of content that the document says, and is never a 5xx but
where the document says that something is not built."""
import argparse
import itertools
import json
import re
import sys
import urllib.error
import urllib.request

from checks import check, failures
from served import ROOT, Served

QUERIES = ["", "?limit=0", "?limit=x&order=x&alt=sse", "?model=nobody", "?action=save"]
BROKEN = ["", "[]", "{", "null", '{"x":1}', '{"model":"nobody"}']


def resolved(document, value):
    while "$ref" in value:
        _, kind, name = value["$ref"].rsplit("/", 2)
        value = document["components"][kind][name]
    return value


def bodies(document, operation, model):
    if "requestBody" not in operation:
        return [None]
    content = next(iter(operation["requestBody"]["content"].values()))
    example = content.get("example") or resolved(document, content["schema"]).get("example") or {}
    if "model" in example:
        example = {**example, "model": model}
    right = [example, {**example, "stream": True}, {**example, "unknown": 1}]
    return [json.dumps(each) for each in right] + BROKEN


def paths(path, model):
    if "{" not in path:
        return [path]
    return [re.sub(r"\{\w+\}", name, path) for name in (model, "nobody", "a%2Fb", "%00")]


def ask(url, method, body, endless=False):
    headers = {"content-type": "application/json"}
    if "/messages" in url:
        headers["anthropic-version"] = "2023-06-01"
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, data, headers, method=method.upper())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.readline() if endless else answer.read()
            return answer.status, answer.headers.get_content_type(), text
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers.get_content_type(), answer.read()


def fault(document, operation, answer):
    status, kind, text = answer
    said = operation["responses"].get(str(status))
    if said is None:
        return "an undocumented status"
    if text and kind not in resolved(document, said).get("content", {}):
        return f"an undocumented {kind}"
    return "a failure" if status >= 500 and status != 501 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    asked = 0
    with Served(parser.parse_args().strata, scripted=True) as server:
        address = f"http://127.0.0.1:{server.port}"
        document = json.loads(ask(address + "/openapi.json", "get", None)[2])
        for path, item in document["paths"].items():
            for method, operation in item.items():
                faults = set()
                for where, query, body in itertools.product(
                        paths(path, server.model), QUERIES,
                        bodies(document, operation, server.model)):
                    answer = ask(address + where + query, method, body,
                                 "x-strata-endless" in operation)
                    asked += 1
                    if wrong := fault(document, operation, answer):
                        faults.add(f"{wrong}: {answer[0]} {answer[2][:120]}")
                check(not faults, f"{method} {path} {sorted(faults)}")
    check(asked > 3000, f"{asked} requests")
    sys.exit(1 if failures else 0)


main()
