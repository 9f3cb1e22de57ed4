"""The command line that the benchmarks of a served model share."""
import argparse
import json
import pathlib
import sys

from lib.strata import MODELS, PULLED


def parser_of(doc):
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default=",".join(PULLED),
                        type=lambda names: checked(parser, names.split(",")))
    parser.add_argument("--json", help="write the rows to this file")
    return parser


def checked(parser, names):
    for name in names:
        if name not in MODELS:
            parser.error(f"there is no model {name!r} here, but {', '.join(MODELS)}")
    return names


def finish(rows, options, failed):
    """Writes the rows where they are wanted, and ends."""
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    sys.exit(failed)
