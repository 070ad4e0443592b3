"""The documents name every setting, link to what exists, and speak of commands that are there."""

import re
from pathlib import Path

import pytest

from tests.environment import ROOT

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_every_setting_is_explained() -> None:
    settings = (ROOT / "config/settings.py").read_text()
    explained = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/operations/configuration.md").read_text()))

    read = set(re.findall(r'env\("([A-Z_]+)"', settings)) | set(re.findall(r'environ\.get\("([A-Z_]+)"', settings))

    assert "FAILURE_BUDGET_SCALE" in read
    assert read - explained == set()


def test_every_refusal_is_explained() -> None:
    checks = (ROOT / "config/checks.py").read_text()
    explained = (ROOT / "docs/operations/configuration.md").read_text()

    numbers = {f"E{int(number):03}" for number in re.findall(r"_refuse\(\s*(\d+),", checks)}

    assert len(numbers) == 13
    assert [number for number in sorted(numbers) if number not in explained] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_list_of_documents_leaves_none_out() -> None:
    docs = ROOT / "docs"
    listed = set(re.findall(r"\]\(([^)#\s]+)\)", (docs / "README.md").read_text()))
    pages = {str(path.relative_to(docs)) for path in docs.glob("**/*.md") if path.parent.name != "decisions"}

    assert pages - {"README.md"} <= listed


def test_every_target_of_make_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= targets


def test_the_picture_is_small() -> None:
    for picture in ROOT.glob("docs/images/*"):
        assert picture.stat().st_size <= 200_000, picture
