"""Programs of others that judge ours (package.json here), installed when the first test asks for them: some 20 s, once."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

from config.build import _node_environment, fingerprint, unchanged

FOLDER = Path(__file__).parent
LIMIT_S = 600


def node_modules() -> Path:
    """Return the installed packages; skip the test, saying why, where they cannot be had."""
    environment = _node_environment()
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        pytest.skip("there is no npm")
    installed, stamp = FOLDER / "node_modules", FOLDER / "node_modules" / ".zhenbiao-stamp"
    digest = fingerprint([FOLDER / "package.json", FOLDER / "package-lock.json"])
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once
        if not unchanged(stamp, digest):
            done = subprocess.run(
                [npm, "ci", "--omit=optional", "--no-progress", "--ignore-scripts"],
                cwd=FOLDER,
                env=environment,
                check=False,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
            )
            if done.returncode:
                pytest.skip(f"npm could not install the judges: {done.stderr.strip().splitlines()[-1:]}")
            stamp.write_text(digest)
    return installed


def node(script: str, text: str) -> str:
    """Run a script that reads ``text``; return what it prints."""
    modules = node_modules()
    environment = {**_node_environment(), "NODE_PATH": str(modules)}
    program = shutil.which("node", path=environment["PATH"]) or "node"
    done = subprocess.run(
        [program, "-e", script], input=text, env=environment, check=True, capture_output=True, text=True, timeout=300
    )
    return done.stdout
