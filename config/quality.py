"""`make check`: every linter, type checker and scanner, as many side by side as there are processors.

One line each, as it ends; the output of those that fail.

``python -m config.quality [NAME …]`` runs only the named steps; ``python -m config.quality messages`` is `make messages`.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import polib

from common.errors import sentence_of
from config.local import ROOT

APPS: tuple[str, ...] = tuple(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
)
# A production's settings with nothing secret in them: `check --deploy` must have nothing to say.
DEPLOYED = {
    "MODE": "production",
    "VAR": "/nonexistent/zhenbiao",
    "SECRET_KEY": "not-a-secret-" * 6,  # pragma: allowlist secret
    "KEK": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",  # pragma: allowlist secret
    "PUBLIC_BASE_URL": "https://labels.example",
    "DATABASE_URL": "postgresql://app@db.example/zhenbiao",
    "DATABASE_OWNER_URL": "postgresql://owner@db.example/zhenbiao",
    "BROKER_URL": "redis://broker.example/1",
    "CACHE_URL": "redis://cache.example/0",
}
# In halves, so that this file does not name what no file may name.
REGISTRY_HOSTS = re.compile(
    "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(?:org|com)", "yarn" + r"pkg\.com"))
)
COPYLEFT = re.compile(r"\bA?GPL|General Public License", re.IGNORECASE)
LESSER = re.compile(r"LGPL|Lesser|Library", re.IGNORECASE)

NOT_CHECKED = "not checked"


class Failed(Exception):
    """A step found something; the text says what."""


def _run(*command: str, environment: dict[str, str] | None = None, clean: bool = False) -> str:
    """Run a program of this environment in the project's folder and return its output. Raises `Failed`."""
    base = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} if clean else dict(os.environ)
    base["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{base['PATH']}"
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**base, **(environment or {})},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise Failed(done.stdout.strip())
    return done.stdout


def _files() -> list[Path]:
    """Return the files under version control (and those about to be)."""
    listed = _run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def ruff() -> str:
    return _run("ruff", "check", ".")


def formatted() -> str:
    return _run("ruff", "format", "--check", ".")


def types() -> str:
    return _run("mypy", *(part for app in APPS for part in ("-p", app)), environment={"MODE": "test"})


def floors() -> str:
    return _run("lint-imports", "--no-cache")


def migrations() -> str:
    """Nothing in the models lacks its migration (no server is asked)."""
    return _run(
        *(sys.executable, "-W", "ignore", "manage.py", "makemigrations", "--check", "--dry-run"),
        environment={"MODE": "test"},
    )


def deploy() -> str:
    found = _run(
        *(sys.executable, "-W", "ignore", "manage.py", "check", "--deploy", "--fail-level", "WARNING"),
        environment=DEPLOYED,
        clean=True,
    )
    return found.strip()


def catalogues() -> str:
    """Every text is translated, none is fuzzy, placeholders are the same, and a text has one translation in all catalogues.

    Django makes one table of them: of two translations that of the earlier app is shown in both. What means two things
    has a context.
    """
    faults = []
    paths = [path for path in _files() if path.suffix == ".po"]
    seen: dict[tuple[str | None, str], object] = {}
    for path in paths:
        catalogue = polib.pofile(str(path))
        for entry in catalogue:
            if entry.obsolete:
                continue
            where = f"{path.relative_to(ROOT)}:{entry.linenum}: {entry.msgid[:60]!r}"
            if entry.fuzzy or not entry.translated():
                faults.append(f"{where} is not translated")
            said = entry.msgstr or entry.msgstr_plural
            if entry.msgid and seen.setdefault((entry.msgctxt, entry.msgid), said) != said:
                faults.append(f"{where} is translated otherwise in another app: give it a context, or the same words")
        if catalogue.obsolete_entries():
            faults.append(f"{path.relative_to(ROOT)}: has texts that are used no more")
    if faults:
        raise Failed("\n".join(faults))
    if shutil.which("msgfmt"):
        for path in paths:
            _run("msgfmt", "--check-format", "--output-file=/dev/null", str(path))
    return f"{len(paths)} catalogues"


def error_sentences(root: Path) -> dict[str, list[str]]:
    """Return, by app, the sentences that stand in the docstrings of errors (`common.errors.DomainError`)."""
    classes = [
        (app, node)
        for app in APPS
        for path in sorted((root / app).rglob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    ]
    errors, known = {"DomainError"}, 0
    while known < len(errors):
        known = len(errors)
        errors |= {n.name for _, n in classes if any(isinstance(b, ast.Name) and b.id in errors for b in n.bases)}
    found: dict[str, list[str]] = {}
    for app, node in classes:
        docstring = ast.get_docstring(node)
        if docstring and node.name in errors - {"DomainError"}:
            found.setdefault(app, []).append(sentence_of(docstring))
    return found


def collect_messages(root: Path) -> None:
    """Write the texts of each app, and of the root templates, into the catalogues under ``root``."""
    sentences = error_sentences(root)
    for folder in [root, *(root / app for app in APPS)]:
        if not (folder / "locale").is_dir():
            continue
        errors = folder / "error_sentences.py"  # read by xgettext below, never imported
        try:
            errors.write_text(
                "".join(f"_({text!r})\n" for text in ([] if folder == root else sentences.get(folder.name, ())))
            )
            _make_messages(root, folder)
        finally:
            errors.unlink()


def _make_messages(root: Path, folder: Path) -> None:
    ignored = [part for app in APPS for part in ("--ignore", f"{app}/*")] if folder == root else []
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "django", "makemessages", "--locale", "zh_Hans"),
            *("--no-wrap", "--no-location", "--no-obsolete", "--ignore", "tests/*", "--ignore", "node_modules/*"),
            *("--ignore", ".venv/*", "--ignore", "bench/*", "--ignore", "var/*", *ignored),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root), "DJANGO_SETTINGS_MODULE": ""},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(done.stdout + done.stderr)


def _texts(path: Path) -> set[tuple[str, str, str]]:
    return {
        (entry.msgctxt or "", entry.msgid, entry.msgid_plural)
        for entry in polib.pofile(str(path))
        if not entry.obsolete
    }


def messages_collected() -> str:
    """`makemessages` finds exactly the texts that the catalogues have."""
    if not shutil.which("xgettext"):
        return f"{NOT_CHECKED}: there is no gettext here"
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        sources = [path for path in _files() if path.suffix in {".py", ".html", ".txt", ".po", ".js"}]
        for path in sources:
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        collect_messages(copy)
        faults = []
        for path in sources:
            if path.suffix != ".po":
                continue
            relative = path.relative_to(ROOT)
            now, then = _texts(copy / relative), _texts(path)
            faults += [f"{relative}: lacks {text[1]!r}" for text in sorted(now - then)]
            faults += [f"{relative}: has {text[1]!r}, used nowhere" for text in sorted(then - now)]
    if faults:
        raise Failed("\n".join([*faults, "Run `make messages` and translate."]))
    return ""


def bandit() -> str:
    return _run(
        "bandit", "--configfile", "pyproject.toml", "--quiet", "--recursive", "--severity-level", "medium", *APPS
    )


def audit() -> str:
    """Known holes in the locked packages; says so where the advisory service is out of reach."""
    try:
        return _run("pip-audit", "--disable-pip", "--requirement", "requirements/runtime.txt", "--progress-spinner", "off",
                    "--timeout", "10")  # fmt: skip
    except Failed as failed:
        if "Found " in str(failed) and "vulnerabilit" in str(failed):
            raise
        return f"{NOT_CHECKED}: the advisory service does not answer (a release needs it)"


ONLY_MOVED = 3  # what detect-secrets-hook ends with when nothing is new


def secrets() -> str:
    kinds = {".py", ".html", ".js", ".css", ".toml", ".json", ".yml", ""}
    names = [str(path.relative_to(ROOT)) for path in _files() if path.suffix in kinds]
    names = [name for name in names if not name.startswith(("tests/", "package-lock", ".secrets"))]
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "baseline"  # a copy: the tool rewrites it when known findings have moved to other lines
        shutil.copyfile(ROOT / ".secrets.baseline", known)
        found = subprocess.run(
            [str(Path(sys.executable).with_name("detect-secrets-hook")), "--baseline", str(known), *names],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
    if found.returncode not in {0, ONLY_MOVED}:
        raise Failed(found.stdout.strip())
    return ""


def registry_hosts() -> str:
    """No file names the host of a package registry: everyone installs from their own."""
    faults = []
    for path in _files():
        found = REGISTRY_HOSTS.search(path.read_bytes().decode(errors="replace"))
        if found:
            faults.append(f"{path.relative_to(ROOT)} names {found[0]}")
    if faults:
        raise Failed("\n".join(faults))
    return ""


def licences() -> str:
    """No package that runs in production is under a licence that would reach the whole product."""
    names = re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE)
    faults, read = [], 0
    for name in names:
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:  # for another platform
            continue
        read += 1
        classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License")]
        said = " ".join(
            [
                *(about.get_all("License-Expression") or []),
                *(text[:100] for text in about.get_all("License") or []),
                *classifiers,
            ]
        )
        if COPYLEFT.search(said) and not LESSER.search(said):
            faults.append(f"{name}: {said.strip()}")
    if faults:
        raise Failed("\n".join(faults))
    return f"{read} packages"


STEPS: dict[str, Callable[[], str]] = {
    "types": types,  # takes longest, so it begins first
    "ruff": ruff,
    "format": formatted,
    "floors": floors,
    "migrations": migrations,
    "deploy": deploy,
    "catalogues": catalogues,
    "messages-collected": messages_collected,
    "bandit": bandit,
    "secrets": secrets,
    "registry-hosts": registry_hosts,
    "licences": licences,
    "audit": audit,
}


def main(names: list[str]) -> int:
    """Run the steps; return 1 if any found something."""
    if names == ["messages"]:
        collect_messages(ROOT)
        return 0
    failed: list[str] = []

    def run(name: str) -> None:
        started = time.monotonic()
        try:
            said = STEPS[name]()
            result = said.strip().splitlines()[-1] if NOT_CHECKED in said or name in {"catalogues", "licences"} else ""
            mark = "–" if NOT_CHECKED in said else "ok"
        except Failed as error:
            failed.append(name)
            mark, result = "FAILED", f"\n{error}"
        print(f"{name:<20}{mark:<8}{time.monotonic() - started:5.1f} s  {result}\n", end="", flush=True)  # noqa: T201

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, names or STEPS))  # raises what is no finding
    print(f"make check: {', '.join(failed)} failed" if failed else "make check: all is well")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
