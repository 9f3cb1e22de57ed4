"""The rules of the house that a script can see: who includes whom, how long files and lines are,
what may not be used. Prints one line a finding; exit code 1 when there is one."""
import pathlib
import re
import subprocess
import sys

from family_names import check_family_names

ROOMS = ["core", "tensor", "models", "inference", "data", "modify", "api", "tools", "app"]
MAX_FILE_LINES = 1000
MAX_LINE_COLUMNS = 100
FORBIDDEN = {
    r"#include <regex>": "std::regex explodes on hostile input: use PCRE2 with limits, or RE2",
    r"\bstd::(cout|cerr)\b": "only app/cli writes to stdout, with fwrite or fmt; the rest logs",
    r"\b(FIXME|XXX|HACK)\b": "say it in an issue",
}
root = pathlib.Path(__file__).resolve().parents[2]


def tracked_files():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                            cwd=root, capture_output=True, text=True, check=True)
    return [root / line for line in listed.stdout.splitlines() if (root / line).is_file()]


def check_includes(path, number, line):
    match = re.match(r'#include "([a-z_]+)/', line)
    if not match:
        if re.match(r'#include "(?!\w+/)', line):
            yield f"{path}:{number}: include by full path from src/"
        return
    room, included = path.parts[1], match.group(1)
    if included in ROOMS and ROOMS.index(included) > ROOMS.index(room):
        yield f"{path}:{number}: {room} may not include {included} (docs/architecture.md)"


def check_source(path, lines):
    if len(lines) > MAX_FILE_LINES:
        yield f"{path}: {len(lines)} lines, the limit is {MAX_FILE_LINES}"
    if path.parts[0] != "src":
        return
    first = next((line for line in lines if line.strip()), "")
    if path.suffix == ".h" and not first.startswith("//"):
        yield f"{path}:1: a header begins with a sentence that says what it is for"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_COLUMNS:
            yield f"{path}:{number}: {len(line)} columns, the limit is {MAX_LINE_COLUMNS}"
        yield from check_includes(path, number, line)
        for pattern, why in FORBIDDEN.items():
            if re.search(pattern, line):
                yield f"{path}:{number}: {why}"


def check_registries(sources):
    """Bricks register themselves, and a test compares what is in the program with the sources."""
    programs = {path: text for path, text in sources.items() if not re.search(
        r"_(test|bench|fuzz)\.cpp$|/testing/", str(path))}
    kinds = {}  # kind -> the file that registers one first
    for path, text in programs.items():
        for kind in re.findall(r"^const Registered<(\w+)>", text, re.MULTILINE):
            kinds.setdefault(kind, path)
    for kind, path in sorted(kinds.items()):
        call = f"expect_whole_registry<{kind}>("
        if not any(call in text for place, text in sources.items() if place.match("*_test.cpp")):
            yield (f"{path}: no test has {call}…), so that a {kind} can be missing in "
                   "silence (core/testing/registrations.h)")
    for path, text in programs.items():
        bricks = re.findall(r"^class (\w+)[^;{]*: public (\w+) {", text, re.MULTILINE)
        for name, kind in bricks:
            if kind in kinds and f"std::make_unique<{name}>(" not in text:
                yield f"{path}: {name} is a {kind} that registers itself nowhere in this file"


def check_tree(paths):
    sources = {path.relative_to(root): path.read_text(encoding="utf-8")
               for path in paths if path.suffix in {".cpp", ".h"}}
    yield from check_family_names(sources)
    yield from check_registries({path: text for path, text in sources.items()
                                 if path.suffix == ".cpp"})
    for path in paths:
        relative = path.relative_to(root)
        if relative.suffix in {".h", ".cpp", ".py", ".sh"}:
            yield from check_source(relative, path.read_text(encoding="utf-8").splitlines())
    fixtures = sum(p.stat().st_size for p in paths if "testdata" in p.parts)
    if fixtures > 20 << 20:
        yield f"testdata: {fixtures} bytes in all, the limit is 20 MB"


findings = list(check_tree(tracked_files()))
print("\n".join(findings) if findings else "rules: no findings")
sys.exit(1 if findings else 0)
