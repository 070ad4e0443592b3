"""Small worlds, made once."""

from dataclasses import replace

import pytest

from analytics import files, simulator

SMALL = simulator.Setting("small", provinces=9, cities=7, distributors=14, shipments=170, scan_rate=0.05, diverters=0.3)


@pytest.fixture(scope="session")
def small() -> tuple[files.World, simulator.Truth]:
    return simulator.simulate(SMALL, 1)


@pytest.fixture(scope="session")
def scored(small: tuple[files.World, simulator.Truth]) -> files.Scored:
    return files.score(small[0])


def world_like(setting: simulator.Setting) -> simulator.Setting:
    """Return the setting at the size of a small world."""
    sizes = {name: getattr(SMALL, name) for name in ("provinces", "cities", "distributors", "shipments", "scan_rate")}
    return replace(setting, **sizes, diverters=setting.diverters and SMALL.diverters)
