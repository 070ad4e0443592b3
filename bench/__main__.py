"""`python -m bench [PART …]`: run the parts (all but "large", if none is named), print tables, write ``latest.json``.

`python -m bench --markdown` prints the tables of ``latest.json`` for docs/benchmarks.md and measures nothing;
`python -m bench --write` puts them there.

Always ends with 0: a figure is never a pass or fail test. A part that breaks is told and left out.
"""

import importlib
import os
import sys
import traceback
from pathlib import Path

from bench.frame import Figure, machine, markdown, show, write, write_into

PARTS = {
    "codes": "Codes",
    "print": "Printing",
    "redeem": "Redemption",
    "draws": "Games and draws",
    "sms": "Messages in",
}
LARGE = {"large": "Beside ten million redemptions", "scans": "Reports over ten million scans"}
ROOT = Path(__file__).resolve().parent.parent


def main(asked: list[str]) -> None:
    titles = PARTS | LARGE
    asked = [name for part in asked for name in (LARGE if part == "--large" else [part])]
    unknown = [part for part in asked if part not in {*titles, "--markdown", "--write"}]
    if unknown:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(titles)}")
        return
    path = ROOT / os.environ.get("VAR", "var") / "bench" / "latest.json"  # before a part sets VAR for itself
    if "--markdown" in asked:
        print(markdown(path))
        return
    if "--write" in asked:
        write_into(ROOT / "docs" / "benchmarks.md", markdown(path))
        return
    facts = machine()
    print(
        f"{facts['processor']}, {facts['processors']} processors, load {facts['load_at_start']}; commit {facts['commit']}"
    )
    found: list[tuple[str, Figure]] = []
    done = []
    for part in asked or list(PARTS):
        try:
            figures = list(importlib.import_module(f"bench.{part}").figures())
        except Exception:  # one part that breaks must not take the others' figures with it
            traceback.print_exc()
            continue
        show(titles[part], figures)
        found += [(part, figure) for figure in figures]
        done.append(part)
    write(path, found, facts, done)
    print(f"written to {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
