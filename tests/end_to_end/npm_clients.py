"""The makers' JavaScript clients (npm_clients/) against a server of ours. `./dev test` installs them; without
them, or without Node, it says so and is skipped."""
import argparse
import pathlib
import shutil
import subprocess
import sys

from served import ROOT, Served

FOLDER = pathlib.Path(__file__).parent / "npm_clients"
SKIPPED = 77


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    parser.add_argument("--node", default=shutil.which("node"))
    options = parser.parse_args()
    if not shutil.which(options.node or "") or not (FOLDER / "node_modules").exists():
        print("skipped: Node or the clients are not here; ./dev test installs them")
        sys.exit(SKIPPED)
    with Served(options.strata, scripted=FOLDER.parent / "agent_script.json") as server:
        done = subprocess.run([options.node, "--test-reporter=spec", FOLDER / "clients.mjs",
                               f"http://127.0.0.1:{server.port}"], check=False, timeout=300)
    sys.exit(done.returncode)


main()
