"""What a partner's own systems read and send: the same as its people at the portal, and nothing more."""

import re
from dataclasses import asdict
from datetime import date
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema, Status
from pydantic import Field

from analytics.models import CaseQuestion
from channel.models import Document, Partner
from common.clock import now
from common.errors import Forbidden, Invalid, NotFound
from common.problems import refuse_unknown
from ledger import queries as ledger
from portal import acts, points, replies, report, stock
from portal.queries import partner_of_key
from portal.schemas import AnswerIn, DocumentIn, DocumentOut, LineOut, QuestionOut, QuestionsOut
from redemption.schemas import Problem
from staff.bearer import ApiKeyAuth
from staff.models import ApiKey

KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
PROBLEMS = dict.fromkeys((401, 403, 404, 422, 503), Problem)
WRITE_PROBLEMS = PROBLEMS | dict.fromkeys((400, 409, 413, 415), Problem)
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this document: sent again with the same content it gets the first answer, for ever.",
    "schema": {"type": "string", "pattern": f"^{KEY.pattern}$"},
}
router = Router(auth=ApiKeyAuth(ApiKey.Scope.PARTNER), tags=["partner"])


class KeyMissing(Invalid):
    """Send an Idempotency-Key of 16 to 64 letters, digits, - and _ with each document: it is recorded once."""

    code = "key_missing"


class NotActive(Forbidden):
    """The partner is not active with the brand at present."""

    code = "partner_not_active"


class HoldingOut(Schema):
    """What the partner has of one product; ``units`` are in hand, ``coming`` on their way."""

    product: str
    cases: int
    units: int
    damaged: int
    to_inspect: int
    coming: int


class StockOut(Schema):
    data: list[HoldingOut]


class RowOut(Schema):
    """A document in a list. ``other``: the other side, where it may be named."""

    id: str
    kind: str
    other: str
    labels: int
    state: str
    number: str
    waits: bool


class RowsOut(Schema):
    data: list[RowOut]
    next_cursor: int | None
    has_more: bool


class DayOut(Schema):
    day: date
    title: str
    count: int
    points: int


class PointsOut(Schema):
    """Balance and statement, by day and reason."""

    balance: int
    data: list[DayOut]
    next_cursor: int | None
    has_more: bool


class CellOut(Schema):
    """Packs of others seen in the partner's area: only where five devices or more saw them."""

    week: date
    region: str
    place: str
    product: str
    packs: int


class WeekOut(Schema):
    """``packs`` null: too few devices to say. Of one's own goods: at least so many."""

    week: date
    packs: int | None


class CoverageOut(Schema):
    """``scanned``: at least so many packs of a shipment by last Monday; null: too few devices to say."""

    shipment: str
    labels: int
    scanned: int | None


class ReportOut(Schema):
    """The partner's report: own regions, coverage of shipments, own goods and others' goods by week."""

    regions: list[str]
    coverage: list[CoverageOut]
    own: list[WeekOut]
    weeks: list[WeekOut]
    cells: list[CellOut]


class PageIn(Schema):
    cursor: int | None = Field(None, ge=0, lt=2**63)
    limit: int = Field(50, ge=1, le=200)


def _partner(request: HttpRequest) -> Partner:
    found = partner_of_key(request.auth.id)  # type: ignore[attr-defined]
    if found is None:
        raise NotActive
    return found


@router.get("/stock", response={200: StockOut, **PROBLEMS}, summary="What you have now")
def read_stock(request: HttpRequest) -> dict[str, Any]:
    """Return what the partner holds now, by product."""
    return {"data": [asdict(one) for one in stock.holdings(_partner(request))]}


@router.get("/documents", response={200: RowsOut, **PROBLEMS}, summary="Your documents, the newest first")
def list_documents(request: HttpRequest, asked: Query[PageIn]) -> dict[str, Any]:
    """Return the documents that the partner wrote, and those that moved goods to or from it."""
    refuse_unknown(request, PageIn.model_fields)
    partner = _partner(request)
    found = stock.documents(partner).order_by("-id")
    if asked.cursor is not None:
        found = found.filter(pk__lt=asked.cursor)
    rows = list(found[: asked.limit + 1])
    more, rows = len(rows) > asked.limit, rows[: asked.limit]
    data = [
        {
            "id": row.document.public_id,
            "kind": row.document.kind,
            "other": row.other,
            "labels": row.labels,
            "state": row.document.state,
            "number": row.number,
            "waits": row.waits,
        }
        for row in stock.rows(partner, rows)
    ]
    return {"data": data, "next_cursor": rows[-1].pk if more else None, "has_more": more}


@router.get("/documents/{document_id}", response={200: DocumentOut, **PROBLEMS}, summary="One document")
def read_document(request: HttpRequest, document_id: str) -> dict[str, Any]:
    """Return a document with its lines: of one's own all, of others those that moved goods."""
    partner = _partner(request)
    found = stock.document(partner, document_id) if "\x00" not in document_id else None
    if found is None:
        raise NotFound(_("There is no such document."))
    return _document(partner, found)


@router.post(
    "/documents",
    response={201: DocumentOut, **WRITE_PROBLEMS},
    summary="Record a document, once",
    openapi_extra={"parameters": [_KEY_PARAMETER]},
)
def record_document(request: HttpRequest, body: DocumentIn) -> Status[dict[str, Any]]:
    """Record goods shipped out, received or given back; the same Idempotency-Key gets the first answer again."""
    partner = _partner(request)
    key = request.headers.get("Idempotency-Key", "")
    if not KEY.fullmatch(key):
        raise KeyMissing
    by = request.auth.prefix  # type: ignore[attr-defined]
    answer = acts.record(partner, body.read(), key=key, at=now(), by=by)
    return Status(201, _document(partner, answer.document))


@router.get("/points", response={200: PointsOut, **PROBLEMS}, summary="Your points")
def read_points(request: HttpRequest, cursor: int | None = Query(None, ge=0, lt=2**63)) -> dict[str, Any]:
    """Return balance and statement, by day and reason: nothing of a consumer."""
    refuse_unknown(request, ("cursor",))
    account_id = _partner(request).account_id
    found, older = points.days(account_id, cursor=cursor)
    data = [{"day": one.day, "title": one.title, "count": one.count, "points": one.points} for one in found]
    return {
        "balance": ledger.balance(account_id),
        "data": data,
        "next_cursor": older,
        "has_more": older is not None,
    }


@router.get("/report", response={200: ReportOut, **PROBLEMS}, summary="Your report")
def read_report(request: HttpRequest) -> dict[str, Any]:
    """Return the report of the last twelve whole weeks."""
    partner, at = _partner(request), now()
    zone = request.tenant.time_zone  # type: ignore[attr-defined]
    weeks = report.surfaced(partner, at=at, zone=zone)
    return {
        "regions": [one.region.code for one in report.territories(partner, at=at)],
        "coverage": [
            {"shipment": one.document.public_id, "labels": one.labels, "scanned": one.scanned}
            for one in report.coverage(partner, at=at, zone=zone)
        ],
        "own": [{"week": week.starts_on, "packs": week.packs} for week in report.own_weeks(partner, at=at, zone=zone)],
        "weeks": [{"week": week.starts_on, "packs": week.total} for week in weeks],
        "cells": [asdict(cell) for week in weeks for cell in week.cells],
    }


@router.get("/questions", response={200: QuestionsOut, **PROBLEMS}, summary="Questions about your goods")
def list_questions(request: HttpRequest, asked: Query[PageIn]) -> dict[str, Any]:
    """Return the questions that the brand has put to the partner, the newest first."""
    refuse_unknown(request, PageIn.model_fields)
    partner, at = _partner(request), now()
    found = replies.all_of(partner)
    if asked.cursor is not None:
        found = found.filter(pk__lt=asked.cursor)
    rows = list(found[: asked.limit + 1])
    more, rows = len(rows) > asked.limit, rows[: asked.limit]
    data = [_question_row(replies.told(partner, one, at=at)) for one in rows]
    return {"data": data, "next_cursor": rows[-1].pk if more else None, "has_more": more}


@router.get("/questions/{question_id}", response={200: QuestionOut, **PROBLEMS}, summary="One question")
def read_question(request: HttpRequest, question_id: str) -> dict[str, Any]:
    """Return a question with the evidence that the brand shows, and the partner's answers."""
    partner = _partner(request)
    return _question(partner, replies.question_to(partner, question_id))


@router.post(
    "/questions/{question_id}/answers",
    response={201: QuestionOut, **WRITE_PROBLEMS},
    summary="Answer a question, once",
    openapi_extra={"parameters": [_KEY_PARAMETER]},
)
def answer_question(request: HttpRequest, question_id: str, body: AnswerIn) -> Status[dict[str, Any]]:
    """Keep an answer; the same Idempotency-Key gets the first answer again. After the last day it is marked as late."""
    partner = _partner(request)
    found = replies.question_to(partner, question_id)
    key = request.headers.get("Idempotency-Key", "")
    if not KEY.fullmatch(key):
        raise KeyMissing
    by = request.auth.prefix  # type: ignore[attr-defined]
    replies.answer(found, key=key, text=body.text, at=now(), by=by)
    return Status(201, _question(partner, replies.question_to(partner, question_id)))


def _question_row(told: replies.Told) -> dict[str, Any]:
    asked, question = told.asked, told.question
    return {
        "id": question.public_id,
        "about": told.title,
        "asked_at": question.asked_at,
        "answer_by": question.answer_by,
        "state": asked.state,
        "days_left": asked.days_left,
    }


def _question(partner: Partner, found: CaseQuestion) -> dict[str, Any]:
    told = replies.told(partner, found, at=now())
    answers = [
        {
            "text": one.row.text,
            "at": one.row.at,
            "by": one.row.by,
            "late": one.late,
            "files": len(one.uploads),
        }
        for one in told.answers
    ]
    evidence = [row for rows in told.evidence.values() for row in rows]
    words = {"text": found.text, "verdict": told.verdict, "told": told.told}
    return _question_row(told) | words | {"evidence": evidence, "answers": answers}


def _document(partner: Partner, found: Document) -> dict[str, Any]:
    row = stock.row(partner, found)
    mine = found.issuer_id == partner.pk
    lines = [
        LineOut(**{name: getattr(line, name) for name in LineOut.model_fields})
        for line in stock.lines_of(partner, found)
    ]
    return {
        "id": found.public_id,
        "kind": found.kind,
        "number": row.number,
        "status": found.status if mine else Document.Status.ACCEPTED,
        "accepted": found.accepted,
        "duplicate": found.duplicate if mine else 0,
        "rejected": found.rejected if mine else 0,
        "labels": found.labels,
        "happened_at": found.happened_at,
        "lines": lines,
    }
