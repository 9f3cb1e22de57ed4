"""Writes the pages of docs/api that are made of what the program says of itself, or, with --check, compares
them with what is committed."""
import argparse
import json
import pathlib
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "end_to_end"))

import conformance  # noqa: E402
import reference  # noqa: E402
from served import Served  # noqa: E402


def pages(document):
    """{path below docs/api: text}"""
    return {"conformance.md": conformance.page(document), **reference.pages(document)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with Served(options.strata, scripted=True) as server:
        address = f"http://127.0.0.1:{server.port}/openapi.json"
        document = json.loads(urllib.request.urlopen(address, timeout=60).read())
    stale = []
    for name, text in pages(document).items():
        file = ROOT / "docs" / "api" / name
        if options.check and (not file.exists() or file.read_text(encoding="utf-8") != text):
            stale.append(f"docs/api/{name}")
        if not options.check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"error: out of date: {', '.join(stale)}; python3 tests/documents/write.py writes them")


main()
