"""The app in Chromium: Lighthouse's scores, frames while long conversations and answers are scrolled, and
what an answer that arrives costs. Needs Node, Chromium and, for the first run, npm's registry (Lighthouse 12,
installed into the user's cache)."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIGHTHOUSE = "12.8.2"
SHELL = pathlib.Path("/usr/bin/chromium-headless-shell")  # its windows have no pages of the browser's own


def environment():
    """With ./dev's own Node before the system's, where it is there, and the browser that is measured."""
    shell = {"STRATA_CHROMIUM": str(SHELL)} if SHELL.exists() else {}
    return {**shell, **os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}


def lighthouse():
    """The folder of its packages."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "strata" / f"lighthouse-{LIGHTHOUSE}"
    if not (folder / "node_modules" / "lighthouse").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder,
                        f"lighthouse@{LIGHTHOUSE}"], env=environment(), check=True)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if not shutil.which("node", path=environment()["PATH"]):
        sys.exit("error: there is no Node\nhint: ./dev build fetches one")
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    run = subprocess.run(["node", ROOT / "bench" / "app_page.mjs", options.strata, lighthouse(),
                          str(options.rounds)], env=environment(), stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(run.stdout or run.returncode)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    print("\n| what | measured | bound |\n|---|---|---|")
    for row in rows:
        print(f"| {row['what']} | {row['measured']} | {row['bound']} |")
    print(f"\nload of this machine: {os.getloadavg()[0]:.1f}")
    missed = [row["what"] for row in rows if not row["holds"]]
    sys.exit(f"error: missed: {', '.join(missed)}" if missed else 0)


main()
