"""The pages of diversion beside each other, as chips under the heading."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from console.navigation import exists


@dataclass(frozen=True, slots=True)
class Tab:
    """One page among its neighbours."""

    label: Any
    path: str
    here: bool = False


TABS = (
    Tab(_("Findings"), "/console/diversion"),
    Tab(_("Map"), "/console/diversion/map"),
    Tab(_("Routes"), "/console/diversion/routes"),
    Tab(_("Copied codes"), "/console/diversion/codes"),
    Tab(_("Harvested codes"), "/console/diversion/farms"),
    Tab(_("How sure it is"), "/console/diversion/calibration"),
    Tab(_("How much is known"), "/console/diversion/coverage"),
)


def tabs(path: str) -> list[Tab]:
    """Return the pages that there are, ``path`` marked."""
    return [Tab(tab.label, tab.path, tab.path == path) for tab in TABS if exists(tab.path)]
