"""The SMS door: reads messages, makes one call for all that came together, and says each answer in one text message.

`redemption.sms_text` reads; what is decided is decided in `redemption.services`; the words are in `redemption.texts`.
A sender's number is believed when it earns (a forger gives points away), never when it spends.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction

from common.errors import DomainError
from labels.codes.decode import Status
from labels.queries import resolve
from ledger import queries as ledger
from members import services as members, sign_in
from members.queries import Known, known_at, member_by_phone, members_at
from redemption import services
from redemption.budgets import was_refused
from redemption.messages import added, django_language, say, say_text
from redemption.rules import Act, Attempt, Door, Outcome, Receipt
from redemption.sms_text import Kind, Reading, Word, read, slot_of
from redemption.texts import key_of
from sms_gateway import services as gateway
from sms_gateway.doors import IncomingText, OptOut, Purpose, Reply
from sms_gateway.segments import parts_of

__all__ = ["answer", "answer_many", "slot_of"]

EXPIRES_SOON_DAYS = 30
# What a robot at the other end could answer for ever: the gateway says it three times an hour at most.
ERRORS = frozenset({"one_code", "help", "malformed", "typo", "serial_typed", "too_many", "too_many_codes", "no_points"})
_SERIALS = frozenset({Status.ACTIVE, Status.TEST_LABEL})


@dataclass(slots=True, kw_only=True)
class _Question:
    """A message with a code, on its way to its receipt (or the error that stands for it)."""

    place: int
    text: IncomingText
    sender: str
    language: str
    act: Act
    attempt: Attempt
    receipt: Receipt | DomainError | None = None


def answer(text: IncomingText) -> Reply | None:
    """Answer one message: `answer_many` with a list of one. Raises the error that stands for its answer."""
    [reply] = answer_many([text])
    if isinstance(reply, Exception):
        raise reply
    return reply


def answer_many(texts: Sequence[IncomingText]) -> list[Reply | Exception | None]:
    """Answer messages that came together, each in its place, or say nothing.

    The same ``request_id`` redeems once and is told the same. An error in an answer's place (`InProgress`, `TryLater`)
    means that nothing was written for that message: it may be decided again.
    """
    answers: list[Reply | Exception | None] = [None] * len(texts)
    known = known_at({text.sender for text in texts if text.sender and text.opt_out is None})
    questions: list[_Question] = []
    for place, text in enumerate(texts):
        try:
            found = _read(place, text, known)
        except Exception as error:  # it may not fail its neighbours
            answers[place] = error
            continue
        if isinstance(found, _Question):
            questions.append(found)
        else:
            answers[place] = found
    _ask(questions)
    news = _news_for(questions, known)
    for question in questions:
        answers[question.place] = _told(question, news)
    return answers


def _read(place: int, text: IncomingText, known: Mapping[str, Known]) -> Reply | _Question | None:
    """Obey a command and answer what holds no code; return the question that a code asks."""
    if text.sender is None:
        return None
    if text.opt_out is not None:
        _record_opt_out(text.sender, text.opt_out, by="carrier", at=text.received_at)
        return None
    reading = read(text.body)
    chosen = known[text.sender].language if text.sender in known else ""
    language = language_for(reading.language, chosen, text.number.languages)
    if reading.kind is Kind.COMMAND and reading.word is not None:
        return _COMMANDS[reading.word](text, text.sender, language)
    if reading.kind is Kind.SEVERAL:
        return _reply("one_code", language)
    if reading.kind is Kind.NOTHING:
        return _reply("help", language)
    act, attempt = _attempt_of(text, text.sender, reading, language)
    return _Question(place=place, text=text, sender=text.sender, language=language, act=act, attempt=attempt)


def language_for(asked: str, chosen: str, line: tuple[str, ...]) -> str:
    """Return the language of an answer: that of the message, else the member's, else the number's, else the brand's."""
    return django_language(asked or chosen or (line[0] if line else ""))


# --- codes -------------------------------------------------------------------------------------------------------------


def _attempt_of(text: IncomingText, sender: str, reading: Reading, language: str) -> tuple[Act, Attempt]:
    is_serial = reading.may_be_serial and _is_serial(reading.code)
    return Act.CHECK if is_serial else reading.act, Attempt(
        door=Door.SMS,
        at=text.received_at,
        request_id=text.request_id,
        phone=sender,
        language=language,
        code=None if is_serial else reading.code,
        serial=reading.code if is_serial else None,
    )


def _ask(questions: Sequence[_Question]) -> None:
    for act, each in ((Act.CHECK, services.verify_each), (Act.REDEEM, services.redeem_each)):
        asked = [question for question in questions if question.act is act]
        answers = each([question.attempt for question in asked]) if asked else []
        for question, answer in zip(asked, answers, strict=True):
            question.receipt = answer


def _told(question: _Question, news: Mapping[str, tuple[date, int]]) -> Reply | Exception | None:
    receipt, sender, language = question.receipt, question.sender, question.language
    if not isinstance(receipt, Receipt):
        return receipt
    if receipt.outcome is Outcome.TOO_MANY_TRIES and was_refused(sender, at=question.text.received_at):
        return None  # said once; then silence until the budget is whole again
    key = key_of(receipt)
    body = say(receipt, language, Door.SMS)
    if receipt.outcome is Outcome.REDEEMED and sender in news:
        body = _with_news(body, language, *news[sender])
    return Reply(body, language, Purpose.ERROR if key in ERRORS else Purpose.ANSWER)


def _is_serial(code: str) -> bool:
    """Return whether letters sent alone are the open number beside a QR code; asked for every such code alike."""
    status = resolve(code, purpose="serial").status
    if status is Status.RETIRED:  # it cannot be told from a hidden code of such a slot, but by that being known
        return not resolve(code, purpose="secret").known
    return status in _SERIALS


def _news_for(questions: Sequence[_Question], known: Mapping[str, Known]) -> dict[str, tuple[date, int]]:
    """Return which points expire first and soon, by number, of those who redeemed."""
    told = [question for question in questions if isinstance(question.receipt, Receipt)]
    redeemed = {question.sender for question in told if question.receipt.outcome is Outcome.REDEEMED}  # type: ignore[union-attr]
    if not redeemed:
        return {}
    accounts = {phone: known[phone].account_id for phone in redeemed if phone in known}
    if new := redeemed - accounts.keys():
        accounts |= {phone: holder.account_id for phone, holder in members_at(new).items()}
    soon = ledger.expiring_first(accounts.values(), EXPIRES_SOON_DAYS, told[0].text.received_at)
    return {phone: soon[account] for phone, account in accounts.items() if account in soon}


def _with_news(body: str, language: str, day: date, points: int) -> str:
    """Add which points expire soon, where that makes the message no dearer."""
    news = say_text("news_expiring", language, date=day, expiring=points)
    longer = added(body, news, language)
    return longer if parts_of(longer).count == parts_of(body).count else body


# --- commands ------------------------------------------------------------------------------------------------------------


def _reply(key: str, language: str, **values: Any) -> Reply:
    purpose = Purpose.ERROR if key in ERRORS else Purpose.ANSWER
    return Reply(say_text(key, language, **values), language, purpose)


def _stop(text: IncomingText, sender: str, language: str) -> Reply:
    _record_opt_out(sender, OptOut.STOP, by="keyword", at=text.received_at)
    return _reply("stopped", language)


def _start(text: IncomingText, sender: str, language: str) -> Reply:
    _record_opt_out(sender, OptOut.START, by="keyword", at=text.received_at)
    return _reply("started", language)


def _record_opt_out(sender: str, wish: OptOut, *, by: str, at: datetime) -> None:
    with transaction.atomic(durable=True):
        if wish is OptOut.STOP:
            gateway.suppress(sender, source=by, at=at)
        elif wish is OptOut.START:
            gateway.lift_suppression(sender, at=at)


def _help(text: IncomingText, sender: str, language: str) -> Reply:
    return _reply("help", language)


def _balance(text: IncomingText, sender: str, language: str) -> Reply:
    member = member_by_phone(sender)
    if member is None:
        return _reply("no_points", language)
    balance = ledger.balance(member.account_id)
    soon = ledger.expiring_soon(member.account_id, EXPIRES_SOON_DAYS, text.received_at)
    if not soon:
        return _reply("balance", language, balance=balance)
    day, points = soon[0]
    return _reply("balance_expiring", language, balance=balance, expiring=points, date=day)


def _join(text: IncomingText, sender: str, language: str) -> Reply:
    with transaction.atomic(durable=True):
        holder = members.join(sender, at=text.received_at, language=language)
    return _reply("welcome", language, balance=ledger.balance(holder.account_id))


def _sign_in(text: IncomingText, sender: str, language: str) -> Reply | None:
    """Send a one-time code to the sender's own number: the code is the answer."""
    try:
        sign_in.request_code(sender, at=text.received_at, language=language)
    except sign_in.TooManyCodes:
        return _reply("too_many_codes", language)
    return None


def _language(text: IncomingText, sender: str, language: str) -> Reply:
    member = member_by_phone(sender)
    if member is not None:
        with transaction.atomic(durable=True):
            members.set_language(member.pk, language)
    return _reply("language_set", language)


_COMMANDS: dict[Word, Callable[[IncomingText, str, str], Reply | None]] = {
    Word.STOP: _stop,
    Word.START: _start,
    Word.HELP: _help,
    Word.BALANCE: _balance,
    Word.JOIN: _join,
    Word.SIGN_IN: _sign_in,
    Word.ENGLISH: _language,
    Word.CHINESE: _language,
}
