"""schemathesis against a server with scripted answers: requests made of its own /openapi.json, right ones
and broken ones. No answer has a status, a kind of content or a shape that the document does not say; a
5xx is 501 only, where the document has it. Started by tests/long/openapi, which installs schemathesis."""
import argparse
import json
import os
import pathlib
import subprocess
import sys

from checks import check, failures
from served import ROOT, Served

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_schema_conformance"]
# How long making requests up takes says nothing of the server.
SETTINGS = """
hooks = "fuzz_hooks"
continue-on-failure = true
request-timeout = 60
suppress-health-check = ["all"]
warnings = false
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501]
"""


def run(server, cases_each, seed):
    home = pathlib.Path(server.home)
    settings, report = home / "schemathesis.toml", home / "report.json"
    settings.write_text(SETTINGS, encoding="ascii")
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent),
                   "STRATA_MODEL": server.model}
    code = subprocess.run(
        [pathlib.Path(sys.executable).parent / "st", "--config-file", settings, "run",
         f"http://127.0.0.1:{server.port}/openapi.json", "--phases", "fuzzing",
         "--max-examples", str(cases_each), "--checks", ",".join(CHECKS), "--seed", str(seed),
         "--exclude-by", "/x-strata-endless == true", "--generation-database", "none",
         "--no-color", "--report", "json", "--report-json-path", report],
        env=environment, cwd=home, check=False).returncode
    return code, json.loads(report.read_text(encoding="utf-8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    parser.add_argument("--cases-each", type=int, default=110, help="of an operation, at most")
    parser.add_argument("--at-least", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with Served(options.strata, scripted=True, arguments=["--offline"]) as server:
        code, report = run(server, options.cases_each, options.seed)
        check(code == 0, f"schemathesis ends with {code}")
        cases = report["test_cases"]["generated"]
        check(cases >= options.at_least, f"{cases} cases")
        check(server.process.poll() is None, "the server goes on")
    sys.exit(1 if failures else 0)


main()
