"""The paper of an evidence bundle: what was found about one shipment and how, in words that a court may read."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _, ngettext, override, pgettext

from analytics.bundle_content import Cell, Content, file_of
from analytics.case_models import Case, CaseEntry
from analytics.paper import Paper
from channel.models import Document, Movement
from redemption.models import ScanPlace

MOST_SCANS, MOST_CASES = 250, 120
"""Rows that are printed; all of them stand in the CSV files."""
Row = dict[str, Cell]


def paper_of(
    content: Content, *, language: str, brand: str, photos: Mapping[str, bytes], hashes: Mapping[str, str]
) -> bytes:
    """Return the PDF in a language ("en", "zh-hans"). ``photos``: bytes by name; ``hashes``: SHA-256 of the other files."""
    with override(language), timezone.override(content.zone):
        return _Writer(content, language, brand).write(photos, hashes)


class _Writer:
    def __init__(self, content: Content, language: str, brand: str) -> None:
        self.content, self.brand = content, brand
        self.zh = language.startswith("zh")
        self.number = content.case.number
        title = _("Evidence bundle %(number)s") % {"number": self.number}
        self.paper = Paper(
            title=title,
            note=f"{brand} · {title} · {self._moment(content.as_of)}",
            language="zh-CN" if self.zh else "en",
            at=content.as_of,
            page=_("Page %(number)s"),
        )
        self.title = title

    def write(self, photos: Mapping[str, bytes], hashes: Mapping[str, str]) -> bytes:
        self.paper.title(self.title, self.brand)
        self._summary()
        self._method()
        self._finding()
        self._cases()
        self._custody()
        self._scans()
        self._checks(photos)
        self._questions()
        self._decisions()
        self._log()
        self._files(hashes)
        return self.paper.as_bytes()

    # --- words -------------------------------------------------------------------------------------------------------

    def _moment(self, at: datetime) -> str:
        local = at.astimezone(self.content.zone)
        return f"{formats.date_format(local, 'DATE_FORMAT')} {local:%H:%M:%S} ({self.content.zone.key})"

    def _when(self, text: Cell) -> str:
        """Return a moment of a table ("2026-11-25T09:30:00Z") in the brand's zone."""
        if not text:
            return "–"
        local = datetime.fromisoformat(str(text)).astimezone(self.content.zone)
        return f"{local:%Y-%m-%d %H:%M:%S}"

    def _partner(self, row: Row, name: str) -> str:
        number, plain, zh = row[f"{name}_number"], row[name], row[f"{name}_zh"]
        shown = str((zh if self.zh else plain) or plain or "")
        return f"{shown} ({number})" if number else self.brand

    def _rows(self, name: str) -> list[Row]:
        return self.content.tables[name].dicts()

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]], **layout: Any) -> None:
        texts = [["–" if cell in {"", None} else str(cell) for cell in row] for row in rows]
        self.paper.table(columns, texts, **layout)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _summary(self) -> None:
        content, case = self.content, self.content.case
        partner = (content.partner.name_zh if self.zh else "") or content.partner.name
        facts = [
            (pgettext("investigation", "File"), f"{self.number}  {case.public_id}"),
            (_("State of the file"), str(case.get_state_display())),
            (_("As of"), self._moment(content.as_of)),
            (_("Shipment"), f"{content.shipment.number}  {content.shipment.public_id}"),
            (_("Shipped on"), self._moment(content.shipment.happened_at)),
            (_("Distributor"), f"{partner} ({content.partner.number})"),
        ]
        if content.finding:
            chance = _percent(content.finding.probability)
            facts.append((_("Probability that goods of it were diverted"), chance))
            facts.append((_("Level of the finding"), str(content.finding.get_level_display())))
        self.paper.facts(facts)
        self.paper.paragraph(
            _(
                "This paper says what is known about one shipment: what was computed, what people saw, what the distributor"
                " answered, and what was decided. All figures are in the CSV files beside it. The manifest lists every file"
                " with its SHA-256, and the ledger of the brand holds the hash of the whole bundle under a signed seal, so that"
                " anybody can see that nothing was changed since."
            )
        )
        self.paper.paragraph(
            _(
                "About consumers it tells no more than the day and the city of a scan and the pack that was scanned: no"
                " telephone number, no device, no network address, no exact place, no time of day."
            )
        )

    def _method(self) -> None:
        self.paper.heading(_("How such findings are made"))
        for text in (
            _(
                "Every pack carries a serial of its own, and each case of packs is shipped to one distributor, who has a"
                " territory. When a consumer scans a pack, the place is known roughly: from the device if the person agreed,"
                " from the network, or from where the telephone number was issued. Each of these can be wrong, and how often"
                " each is wrong is learned from the scans themselves."
            ),
            _(
                "For each scan two questions are compared: how likely is it here if the pack was sold in the distributor's own"
                " territory, and how likely if it was sold in another one. People travel, give tea away and buy online; a border"
                " shop sells to both sides; a company carries a whole case off. All of these are part of the honest explanation,"
                " with shares that are learned from all shipments. One scan far away therefore proves little. Several cases of"
                " one shipment that surface in the same other territory, seen by different devices, prove much."
            ),
            _(
                "The result is the probability that a part of the shipment was diverted, given all scans of the last twelve"
                " months. It is not proof by itself: nothing is punished or blocked by a number, people look first, and the"
                " distributor is heard."
            ),
        ):
            self.paper.paragraph(text)
        self.paper.subheading(_("What a list at 10 % means"))
        self.paper.paragraph(
            _(
                "Shipments are put on the list in the order of their probability, as long as the expected share of wrong ones"
                " stays at or below one in ten (a Bayesian false discovery rate of 10 %). So of ten shipments on the list, about"
                " nine were diverted and about one was not. Which one it is, the list cannot say: that is what the investigation"
                " is for."
            )
        )
        run = self.content.run
        if run is None:
            return
        self.paper.facts(
            [
                (_("Computed by run"), run.public_id),
                (_("Scans considered"), f"{self._moment(run.scans_from)} – {self._moment(run.scans_until)}"),
                (_("Scans, shipments, distributors"), " · ".join(
                    f"{run.counts.get(name, 0):,}" for name in ("scans", "shipments", "distributors")
                )),
                (_("SHA-256 of the data"), bytes(run.data_hash).hex()),
                (_("Version of the formulas"), run.code_version),
            ]
        )  # fmt: skip

    def _finding(self) -> None:
        self.paper.heading(_("What was found"))
        rows = self._rows("finding")
        chosen = self.content.finding
        if chosen is None:
            self.paper.paragraph(_("Nothing was computed about this shipment. The file was opened on other grounds."))
            return
        row = next(row for row in rows if row["finding"] == chosen.public_id)
        market = self._partner(row, "likely_market") if row["likely_market"] else _("no single territory")
        self.paper.facts(
            [
                (_("Finding"), f"{row['finding']}, {self._when(row['found_at'])}"),
                (_("Probability for this shipment"), _percent(chosen.probability)),
                (_("Probability that this distributor diverts at all"), _percent(chosen.distributor_probability)),
                (_("Likeliest other market"), market),
                (_("On the list at 10 %"), _("yes") if chosen.alert else _("no")),
                (_("Expected cases diverted"), f"{chosen.expected_cases:.1f}"),
                (_("Expected units diverted"), f"{chosen.expected_units:.0f}"),
                (
                    _("Seen so far"),
                    _("%(scans)s scans of %(labels)s packs in %(cases)s cases, by %(devices)s devices, of %(shipped)s packs shipped")
                    % {"scans": chosen.scans, "labels": chosen.labels, "cases": chosen.cases, "devices": chosen.devices,
                       "shipped": chosen.shipped_labels},
                ),
                (_("First and last scan"), f"{row['first_scan_on'] or '–'} – {row['last_scan_on'] or '–'}"),
            ]
        )  # fmt: skip
        self.paper.subheading(_("Innocent explanations that were weighed"))
        self._table(
            (_("Explanation"), _("Share it has, were all honest")),
            [
                (_("Buyers who travel or moved"), _percent(chosen.travelled)),
                (_("Sold online or given away, all over the country"), _percent(chosen.online)),
                (_("A shop just beyond the border"), _percent(chosen.border)),
                (_("A whole case carried off honestly"), _percent(chosen.away)),
            ],
            widths=(3, 1),
            right=(1,),
        )
        if chosen.without:
            words = {
                "gps": _("Without places from devices"),
                "ip": _("Without places from networks"),
                "phone": _("Without places from numbers"),
                "device": _("Without the device that speaks loudest"),
            }
            self._table(
                (_("If a source is left out"), _("Probability then")),
                [(words[name], _percent(float(chosen.without[name]))) for name in words if name in chosen.without],
                widths=(3, 1),
                right=(1,),
            )

    def _cases(self) -> None:
        rows = self._rows("cases")
        if not rows:
            return
        self.paper.heading(_("Case by case"))
        self._more(len(rows), MOST_CASES, "cases.csv")
        self._table(
            (_("Case (SSCC) or pack"), _("Held by"), _("Probability"), _("Scans")),
            [
                (
                    row["sscc"] or row["label"],
                    self._partner(row, "holder"),
                    _percent(float(row["probability"] or 0)),
                    row["scans"],
                )
                for row in rows[:MOST_CASES]
            ],
            widths=(2, 2.4, 1, 0.7),
            mono=(0,),
            right=(2, 3),
        )

    def _custody(self) -> None:
        self.paper.heading(_("Who held the goods"))
        kinds, states = dict(Document.Kind.choices), dict(Movement.State.choices)
        self._table(
            (
                _("When"),
                _("Document"),
                pgettext("goods", "From"),
                pgettext("goods", "To"),
                pgettext("evidence", "Packs"),
                _("State"),
            ),
            [
                (
                    self._when(row["happened_at"]),
                    f"{kinds.get(str(row['kind']), '')} {row['number']}",
                    self._partner(row, "from"),
                    self._partner(row, "to"),
                    row["labels"],
                    str(states.get(str(row["state"]), row["state"])),
                )
                for row in self._rows("custody")
            ],
            widths=(1.35, 1.7, 1.7, 1.7, 0.7, 0.9),
            right=(4,),
        )

    def _scans(self) -> None:
        rows = self._rows("scans")
        if not rows:
            return
        self.paper.heading(_("Scans, by day and city"))
        self.paper.paragraph(
            _(
                "Only the first scan of each pack counts, and only one of each device. The last column says how much likelier the"
                " scan is if the pack was sold in the best fitting other market than if it was sold in the distributor's own."
            )
        )
        speaking = sorted(rows, key=lambda row: (-float(row["log10_elsewhere_to_own_market"] or 0), str(row["on"])))
        self._more(len(rows), MOST_SCANS, "scans.csv")
        sources = dict(ScanPlace.Source.choices)
        shown = sorted(speaking[:MOST_SCANS], key=lambda row: (str(row["on"]), str(row["label"])))
        self._table(
            (
                _("Day"),
                _("City or province"),
                _("Told by"),
                pgettext("evidence", "Pack"),
                _("Case"),
                _("Elsewhere to own market"),
            ),
            [
                (
                    row["on"],
                    (row["place_zh"] if self.zh else row["place"]) or row["place"] or _("unknown"),
                    str(sources.get(str(row["source"]), "–")),
                    row["label"],
                    row["case"],
                    _times(float(row["log10_elsewhere_to_own_market"] or 0)),
                )
                for row in shown
            ],
            widths=(1, 1.4, 0.8, 1.2, 1.6, 1.4),
            mono=(3, 4),
            right=(5,),
        )

    def _checks(self, photos: Mapping[str, bytes]) -> None:
        checks = self._rows("checks")
        if not checks and not self.content.photos:
            return
        self.paper.heading(_("Seen by our own people"))
        for row in checks:
            where = (
                f"{row['latitude']}, {row['longitude']} (± {row['accuracy_m'] or '–'} m)" if row["latitude"] else "–"
            )
            self.paper.subheading(_("Check in a shop: %(shop)s") % {"shop": row["shop"]})
            self.paper.facts(
                [
                    (_("When, by whom"), f"{self._when(row['done_at'])}, {row['by']}"),
                    (pgettext("evidence", "Pack"), str(row["label"])),
                    (_("Place of the investigator's telephone"), where),
                    (_("Invoice, price"), f"{row['invoice'] or '–'}, {row['price'] or '–'}"),
                    (_("Note"), str(row["note"] or "–")),
                ]
            )
        for photo in self.content.photos:
            name = file_of(photo)
            caption = [
                _("%(file)s: received %(when)s from %(who)s, time of the server.")
                % {"file": name, "when": self._when(photo.at.isoformat()), "who": photo.by},
                f"SHA-256 {bytes(photo.sha256).hex()}",
            ]
            data = photos.get(name)
            if data is None:
                caption.append(_("The picture has been deleted; its hash remains."))
            if data is None or not self.paper.picture(data, caption):
                for line in caption:
                    self.paper.paragraph(line)

    def _questions(self) -> None:
        self.paper.heading(_("What the distributor was asked, and answered"))
        questions, answers = self._rows("questions"), self._rows("answers")
        if not questions:
            self.paper.paragraph(_("Nothing has been asked yet."))
        for row in questions:
            self.paper.subheading(
                _("Question of %(when)s to %(partner)s")
                % {"when": self._when(row["asked_at"]), "partner": self._partner(row, "to")}
            )
            self.paper.paragraph(str(row["text"]))
            released = json.loads(str(row["released"]))
            self.paper.paragraph(
                ngettext(
                    "Shown with it: %(count)s row of evidence. To be answered by %(day)s.",
                    "Shown with it: %(count)s rows of evidence. To be answered by %(day)s.",
                    len(released),
                )
                % {"count": len(released), "day": row["answer_by"]}
            )
            said = [one for one in answers if one["question"] == row["question"]]
            for one in said:
                self.paper.subheading(_("Answer of %(when)s") % {"when": self._when(one["at"])})
                self.paper.paragraph(str(one["text"]))
            if not said:
                over = (
                    date.fromisoformat(str(row["answer_by"])) < self.content.as_of.astimezone(self.content.zone).date()
                )
                self.paper.paragraph(
                    _("There is no answer; the last day is over.") if over else _("There is no answer yet.")
                )

    def _decisions(self) -> None:
        self.paper.heading(_("Decision"))
        words = dict(Case.State.choices)
        rows = self._rows("decisions")
        if not rows:
            self.paper.paragraph(_("Nothing has been decided."))
        for row in rows:
            self.paper.facts(
                [
                    (_("Decision"), str(words[str(row["decision"])])),
                    (_("When, by whom"), f"{self._when(row['at'])}, {row['by']}"),
                    (_("Reason"), str(row["reason"])),
                    (_("Penalty"), str(row["penalty_note"] or _("none noted"))),
                    (_("Who investigated"), str(row["investigators"] or "–")),
                ]
            )
            if row["appeal"]:
                self.paper.subheading(_("Appeal of %(when)s") % {"when": self._when(row["appealed_at"])})
                self.paper.paragraph(str(row["appeal"]))

    def _log(self) -> None:
        self.paper.heading(pgettext("file", "What was done in the file"))
        kinds = dict(CaseEntry.Kind.choices)
        self._table(
            (_("When"), _("Who"), _("What"), _("Text")),
            [
                (self._when(row["at"]), row["by"], str(kinds.get(str(row["what"]), row["what"])), row["text"])
                for row in self._rows("log")
            ],
            widths=(1.3, 1, 1.2, 3.5),
        )

    def _files(self, hashes: Mapping[str, str]) -> None:
        self.paper.heading(_("Files that this paper stands on"))
        self.paper.paragraph(
            _(
                "The SHA-256 of each file at the time of this paper. The paper itself and the manifest are covered by the"
                " manifest and by its signature."
            )
        )
        self._table((_("File"), "SHA-256"), sorted(hashes.items()), widths=(1.4, 2.8), mono=(1,))

    def _more(self, count: int, most: int, name: str) -> None:
        if count > most:
            self.paper.paragraph(
                _("The %(most)s strongest of %(count)s are printed here; all are in %(file)s.")
                % {"most": most, "count": count, "file": f"data/{name}"}
            )


def _percent(share: float) -> str:
    """Return a share in words that claim no more than is known: never 100 % or 0 %."""
    if share > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if share < 0.001 else f"{share * 100:.1f} %"


def _times(log10: float) -> str:
    """Return how many times likelier, to two figures."""
    if abs(log10) < 0.05:
        return "1 : 1"
    most = min(abs(log10), 6.0)
    ratio = 10**most
    shown = f"{ratio:.1f}" if ratio < 10 else f"{float(f'{ratio:.2g}'):,.0f}"
    sign = "> " if abs(log10) > most else ""
    return f"{sign}{shown} : 1" if log10 > 0 else f"1 : {sign}{shown}"
