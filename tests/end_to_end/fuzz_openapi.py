"""schemathesis against a server with scripted answers: requests made of its own /openapi.json, right ones
and broken ones. No answer has a status, a kind of content or a shape that the document does not say; a
5xx is 501 only, where the document has it. Started by tests/long/openapi, which installs schemathesis."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

from checks import check, failures
from served import ROOT, Served

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_schema_conformance"]
# Making up one request of a large body (POST /v1/chat/completions) takes seconds, of most operations
# some milliseconds: those of large bodies have fewer cases.
LARGE_BODY = 100  # names and values of its schema
SETTINGS = """
hooks = "fuzz_hooks"
continue-on-failure = true
request-timeout = 60
suppress-health-check = ["all"]
warnings = false
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501]
[generation]
database = "none"
no-shrink = true
max-examples = {cases}
"""
OF_LARGE_BODIES = """
[[operations]]
include-name = {names}
generation = {{max-examples = {cases}}}
"""
METHODS = {"get", "head", "post", "put", "patch", "delete"}


def size(node, document, seen):
    """Names and values of a schema, with those that it refers to."""
    if isinstance(node, list):
        return sum(size(each, document, seen) for each in node)
    if not isinstance(node, dict):
        return 1
    total = 0
    for key, value in node.items():
        if key == "$ref" and isinstance(value, str):
            if value not in seen:
                seen.add(value)
                total += size(document["components"]["schemas"][value.rsplit("/", 1)[1]], document, seen)
        elif key != "description":
            total += 1 + size(value, document, seen)
    return total


def large_bodies(document):
    return [f"{method.upper()} {path}" for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if method in METHODS and size(operation.get("requestBody", {}), document, set()) > LARGE_BODY]


def write_settings(file, server, cases_each, cases_of_large):
    address = f"http://127.0.0.1:{server.port}/openapi.json"
    document = json.loads(urllib.request.urlopen(address, timeout=60).read())
    file.write_text(SETTINGS.replace("{cases}", str(cases_each)) + OF_LARGE_BODIES.format(
        names=json.dumps(large_bodies(document)), cases=cases_of_large), encoding="ascii")


def run(server, options):
    home = pathlib.Path(server.home)
    settings, report = home / "schemathesis.toml", home / "report.json"
    write_settings(settings, server, options.cases_each, options.cases_of_large)
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent),
                   "STRATA_MODEL": server.model}
    code = subprocess.run(
        [pathlib.Path(sys.executable).parent / "st", "--config-file", settings, "run",
         f"http://127.0.0.1:{server.port}/openapi.json", "--phases", "fuzzing",
         "--checks", ",".join(CHECKS), "--seed", str(options.seed),
         "--exclude-by", "/x-strata-endless == true", "--no-color", "--report", "json", "--report-json-path", report],
        env=environment, cwd=home, check=False).returncode
    return code, json.loads(report.read_text(encoding="utf-8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    parser.add_argument("--cases-each", type=int, default=140, help="of an operation, at most")
    parser.add_argument("--cases-of-large", type=int, default=25, help="of one with a large body")
    parser.add_argument("--at-least", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with Served(options.strata, scripted=True, arguments=["--offline"]) as server:
        code, report = run(server, options)
        check(code == 0, f"schemathesis ends with {code}")
        cases = report["test_cases"]["generated"]
        check(cases >= options.at_least, f"{cases} cases")
        check(server.process.poll() is None, "the server goes on")
    sys.exit(1 if failures else 0)


main()
