"""Each cell of the role × operation table, written out a second time by hand."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client, override_settings
from django.urls import get_resolver

from brands.models import Brand
from staff.models import Role, User
from staff.permissions import TABLE, allowed, writes

GRID = """
                    owner marketer production warehouse investigator analyst regional legal support finance auditor
console.read        x x x x x x x x x x x
labels.read         x x x x x x x x x x x
labels.product      x x x . . . . . . . .
labels.order        x . x . . . . . . . .
labels.activate     x . x x . . . . . . .
labels.receive      x . x x . . . . . . .
labels.block        x . x . x . . x . . .
labels.recall       x . . . . . . x . . .
labels.void         x . x . . . . x . . .
labels.slot         x . . . . . . . . . .
printing.read       x . x x . . . x . . x
printing.press      x . x . . . . . . . .
printing.request    x . x . . . . . . . .
printing.sign_off   x . x . . . . x . . .
printing.approve    x . x . . . . x . . .
printing.fetch      . . . . . . . . . . .
templates.read      x x x x x x x x x x x
templates.edit      x x x . . . . . . . .
templates.print     x x x . . . x . . . .
redemption.read     x x . . x x x x x x x
redemption.reverse  x . . . . . . . . x .
lottery.read        x x x . x x x x x x x
lottery.edit        x x . . . . . . . . .
lottery.publish     x x . . . . . . . . .
lottery.approve     x x . . . . . x . . .
lottery.sign_off    . . . . . . . x . . .
claims.read         x x . x . x . x x x x
claims.check        x . . . . . . x x . .
claims.approve      x . . . . . . x . x .
claims.send         x . . x . . . . x x .
claims.stock        x x . . . . . . . . .
ledger.read         x x . . . x . x x x x
ledger.reverse      x . . . . . . . . x .
members.read        x x . . . x . x x x x
members.export      x . . . . . . x x . .
members.unlock      x . . . . . . . x . .
members.erase       x . . . . . . x . . .
channel.read        x x x x x x x x x x x
channel.edit        x x . . . . x . . . .
channel.goods       x . . x . . . . . . .
diversion.read      x . . . x x x x . . x
diversion.caution   x . . . x . . x . . .
cases.read          x . . . x x x x . . x
cases.open          x . . . x . x x . . .
cases.assign        x . . . . . x x . . .
cases.work          x . . . x . x x . . .
cases.ask           x . . . x . . x . . .
cases.decide        x . . . . . . x . . .
cases.export        x . . . . . . x . . .
portal.invite       x . . . . . x . . . .
portal.read         . . . . . . . . . . .
portal.move         . . . . . . . . . . .
messages.read       x . . . . . . . x . x
messages.replay     x . . . . . . . x . .
messages.numbers    x . . . . . . . . . .
messages.budget     x . . . . . . . . x .
messages.money.read x . . . . . . . x x x
texts.read          x x . . . . . x x . x
texts.edit          x x . . . . . . . . .
calls.answer        x . . . . . . . x . .
jobs.read           x x x x x x x x x x x
jobs.cancel         x . x . . . . . . . .
approvals.read      x x x x x x x x x x x
approvals.decide    x x x x x . x x . x .
staff.read          x . . . . . . . . . x
staff.edit          x . . . . . . . . . .
keys.read           x . . . . . . . . . x
keys.edit           x . . . . . . . . . .
audit.read          x . . . . . . x . x x
brand.read          x x x x x x x x x x x
brand.edit          x x . . . . . . . . .
"""
ROLES = GRID.split("\n")[1].split()
CELLS = [
    (operation, role, mark == "x")
    for operation, *marks in (line.split() for line in GRID.strip().split("\n")[1:])
    for role, mark in zip(ROLES, marks, strict=True)
]
CELLS += [(operation, "press", operation == "printing.fetch") for operation in TABLE]
CELLS += [(operation, "partner", operation in {"portal.read", "portal.move"}) for operation in TABLE]


@pytest.mark.parametrize(("operation", "role", "may"), CELLS)
def test_cell(operation: str, role: str, may: bool) -> None:
    assert allowed(User(role=role, is_active=True), operation) is may


def test_the_grid_has_every_cell() -> None:
    assert {(operation, role) for operation, role, _ in CELLS} == {(o, r) for o in TABLE for r in Role.values}


def test_nobody_else_may_do_anything() -> None:
    assert allowed(User(role="owner", is_active=True), "keys.edit")
    assert not any(allowed(User(role="owner", is_active=False), operation) for operation in TABLE)
    assert not any(allowed(AnonymousUser(), operation) for operation in TABLE)


def test_an_unknown_operation_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        allowed(User(role="owner"), "labels.burn")


def test_only_the_auditor_and_the_analyst_change_nothing() -> None:
    assert [role for role in Role.values if not writes(role)] == ["analyst", "auditor"]


def test_every_page_of_the_console_is_guarded() -> None:
    open_pages = []
    for pattern in get_resolver("config.urls").url_patterns:
        if str(pattern.pattern).startswith("console/"):
            patterns = getattr(pattern, "url_patterns", [pattern])
            open_pages += [str(p.pattern) for p in patterns if not _operation(p.callback)]

    assert [page for page in open_pages if not page.startswith(("sign-", "account/"))] == []


def _operation(callback: Callable | None) -> str | None:
    while callback is not None:
        if hasattr(callback, "operation"):
            return callback.operation
        callback = getattr(callback, "__wrapped__", None)
    return None


def test_the_refusal_says_what_is_needed_and_who_grants_it(owner: User, browse: Callable[..., Client]) -> None:
    support = User.objects.create_user("sam", role="support")

    page = browse(support).get("/console/keys")

    assert page.status_code == 403
    assert "ada" in page.content.decode()
    assert "auditor" in page.content.decode()


def test_a_part_of_a_page_sends_the_whole_page_to_sign_in(browse: Callable[..., Client]) -> None:
    answer = browse().get("/console/keys?q=1", headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/console/sign-in?next=/console/keys%3Fq%3D1"


@override_settings(STAFF_MFA="required")
def test_writing_roles_must_set_up_a_second_factor(brand: Brand, owner: User, browse: Callable[..., Client]) -> None:
    auditor = User.objects.create_user("kim", role="auditor")

    assert browse(owner).get("/console/keys")["Location"] == "/console/account/second-factor/app"
    assert browse(auditor).get("/console/keys").status_code == 200
