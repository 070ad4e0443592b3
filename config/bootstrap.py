"""From nothing but Python and make to a ready ``.venv``: run by the Makefile, before any package is installed.

Usage: ``python3 -I config/bootstrap.py runtime [demo] [dev] [bench]``, the names of files in requirements/.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)
OLDEST_NODE = 18


def fail(line: str) -> None:
    """End with one line that says what to do."""
    sys.exit("zhenbiao: " + line)


def works(python: Path) -> bool:
    """Return whether that interpreter starts and is new enough (a moved folder leaves one that does not)."""
    question = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([str(python), "-c", question], check=False, stderr=subprocess.DEVNULL).returncode == 0


def create_venv() -> None:
    """Make ``.venv`` unless a good one is there."""
    if VENV_PYTHON.exists() and works(VENV_PYTHON):
        return
    try:
        import ensurepip  # noqa: F401 - Debian ships venv without it
        import venv
    except ImportError:
        version = "{}.{}".format(*sys.version_info[:2])
        fail(f"this Python has no venv module: install it (Debian: apt-get install python{version}-venv)")
    print("Creating .venv", flush=True)  # noqa: T201 - this is a command
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        venv.EnvBuilder(with_pip=True, symlinks=True).create(VENV)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(VENV, ignore_errors=True)
        fail(f"cannot create {VENV}: {error}")


def install(name: str) -> None:
    """Install requirements/NAME.txt by its hashes, unless that very file is installed already."""
    path, stamp = ROOT / "requirements" / f"{name}.txt", VENV / f".installed-{name}"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f"Installing requirements/{name}.txt", flush=True)  # noqa: T201
    command = [str(VENV_PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes"]
    if subprocess.run([*command, "-r", str(path)], check=False).returncode:
        fail(f"pip could not install requirements/{name}.txt: see its message above; is the package index reached?")
    stamp.write_text(digest)


def has_node() -> bool:
    """Return whether the machine has npm and a Node new enough to build the assets."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    answer = subprocess.run(["node", "--version"], check=False, capture_output=True, text=True).stdout
    major = answer.strip().lstrip("v").partition(".")[0]
    return major.isdigit() and int(major) >= OLDEST_NODE


def main() -> None:
    """Do what is not done yet, then build assets and translations with the new interpreter."""
    if sys.version_info < OLDEST:
        fail("Python {}.{} is too old: 3.11 or later is needed (make PYTHON=python3.12 …)".format(*sys.version_info))
    create_venv()
    for name in sys.argv[1:] or ["runtime"]:
        install(name)
    if not has_node():
        install("node")
    os.chdir(ROOT)
    os.execv(VENV_PYTHON, [str(VENV_PYTHON), "-m", "config.build"])  # noqa: S606 - our own interpreter, no shell


if __name__ == "__main__":
    main()
