"""Why it may not be diversion: each innocent explanation, its share, whether the alert stands without it, what settles it."""

from dataclasses import dataclass

from django.utils.translation import gettext as _, ngettext

from analytics.explaining import Papers
from analytics.models import Finding


@dataclass(frozen=True, slots=True)
class Doubt:
    """One explanation. ``share``: of the honest likelihood, 0 to 1. ``without``: P without it, each with its words.

    ``stands``: whether the shipment would still be on the list; None where no figure tells.
    """

    name: str
    detail: str
    settle: str
    share: float | None = None
    without: tuple[tuple[str, float], ...] = ()
    stands: bool | None = None

    @property
    def percent(self) -> str:
        """The share in percent; "–" where there is none."""
        return "–" if self.share is None else f"{100 * self.share:.0f} %"


def doubts_of(finding: Finding, papers: Papers, list_from: float) -> list[Doubt]:
    """Return the explanations of a finding. ``list_from``: the lowest P on the list of its run."""

    def told(*names: tuple[str, str]) -> tuple[tuple[tuple[str, float], ...], bool | None]:
        known = tuple((words, finding.without[name]) for name, words in names if name in finding.without)
        return known, min(p for _words, p in known) >= list_from if known else None

    def doubt(name: str, detail: str, settle: str, *keys: tuple[str, str], share: float | None = None) -> Doubt:
        return Doubt(name, detail, settle, share, *told(*keys))

    seen = finding.labels / finding.shipped_labels if finding.shipped_labels else 0.0
    often = _("three times as common")
    return [
        doubt(
            _("Travel"),
            _(
                "{away} of {scans} scans speak for another place; by travel alone {expected} buyers would be met away."
            ).format(away=finding.scans_away, scans=finding.scans, expected=f"{finding.expected_away:.1f}"),
            _(
                "Travellers come from many places and scan one unit each. A shelf full of these labels is no traveller's."
            ),
            ("travelled", often),
            share=finding.travelled,
        ),
        doubt(
            _("Online orders and gifts"),
            _("Sold over the whole country by somebody who may, such cases surface everywhere, not in one market."),
            _("Ask for the orders that were sent to these cities."),
            ("online", often),
            share=finding.online,
        ),
        doubt(
            _("A shop just over the border"),
            _("A case sold whole near the edge of the own area."),
            _("Look whose delivery note the shop has."),
            ("border", often),
            share=finding.border,
        ),
        doubt(
            _("One honest case far away"),
            _("A case bought whole and carried off: a company's gifts, a key account, a move."),
            _("Check a second case: one is an accident, several are a delivery."),
            ("away", often),
            share=finding.away,
        ),
        doubt(
            _("Only one witness"),
            _("{devices} devices scanned {labels} labels.").format(devices=finding.devices, labels=finding.labels),
            _("Scan labels of other cases in a shop there."),
            ("device", _("without the device that says most")),
        ),
        doubt(
            _("Weak places"),
            _("An address knows the province, a telephone number only where it was issued."),
            _("A scan with a fix, made in the shop itself, needs neither."),
            ("phone", _("without telephone numbers")),
            ("ip", _("without addresses")),
            ("gps", _("without fixes")),
        ),
        Doubt(
            _("Papers"),
            _paper_words(papers),
            _("Ask both partners for the papers of this movement.")
            if not papers.silent
            else _("Ask the distributor for the delivery notes of these cases."),
            stands=True if papers.silent else None,
        ),
        Doubt(
            _("Copied labels"),
            ngettext(
                "{n} label looks copied; its scans were left out before anything was judged.",
                "{n} labels look copied; their scans were left out before anything was judged.",
                finding.copied_labels,
            ).format(n=finding.copied_labels)
            if finding.copied_labels
            else _("No label of this shipment looks copied."),
            _("Compare the label in the shop with a genuine one."),
            stands=True,
        ),
        Doubt(
            _("Few scans"),
            # xgettext:no-python-format
            _("{percent} % of the labels shipped were scanned: {labels} of {shipped}, in {cases} cases.").format(
                percent=f"{100 * seen:.1f}",
                labels=f"{finding.labels:,}",
                shipped=f"{finding.shipped_labels:,}",
                cases=finding.cases,
            ),
            _("Accusing needs 3 labels, 3 devices, 2 cases and one scan with a fix or an address."),
            stands=finding.level == Finding.Level.ACCUSABLE,
        ),
    ]


def _paper_words(papers: Papers) -> str:
    if papers.silent:
        return _(
            "Within 30 days of the scans there is no transfer, no return, no late document and no change of territory."
        )
    parts = [
        ngettext("{n} movement that may explain it", "{n} movements that may explain it", len(papers.moved)).format(
            n=len(papers.moved)
        )
        if papers.moved
        else "",
        ngettext("{n} late document", "{n} late documents", len(papers.late)).format(n=len(papers.late))
        if papers.late
        else "",
        ngettext("{n} change of territory", "{n} changes of territory", len(papers.territories)).format(
            n=len(papers.territories)
        )
        if papers.territories
        else "",
    ]
    return _("Within 30 days of the scans: {list}.").format(list="; ".join(part for part in parts if part))
