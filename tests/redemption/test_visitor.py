"""The web door's cookies: signed, of one brand, set only when something changed."""

from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from brands.models import Brand
from common.clock import now
from members.models import Member
from members.services import members_for_phones
from redemption.visitor import FRESH_FOR, Visitor, visitor_of


@pytest.fixture
def member(brand: Brand) -> Member:
    holder = members_for_phones(["+8613800138000"], at=now())["+8613800138000"]
    return Member.objects.get(pk=holder.member_id)


def again(visitor: Visitor) -> Visitor:
    """Write the visitor's cookies, and read them in the next request."""
    response = HttpResponse()
    visitor.write(response)
    request = RequestFactory().get("/")
    request.COOKIES = {name: morsel.value for name, morsel in response.cookies.items() if morsel["max-age"] != 0}
    return visitor_of(request)


def new_visitor() -> Visitor:
    return visitor_of(RequestFactory().get("/"))


def test_looking_sets_no_cookie(brand: Brand) -> None:
    response = HttpResponse()

    new_visitor().write(response)

    assert not response.cookies


def test_who_acts_is_known_again(brand: Brand) -> None:
    visitor = new_visitor()

    name = visitor.act()

    assert visitor.act() == name
    assert again(visitor).asker == name
    assert new_visitor().act() != name


def test_a_member_stays_signed_in_until_signing_out(member: Member) -> None:
    visitor = new_visitor()
    visitor.sign_in(member, now())
    visitor.keep_receipt("482109375567")

    known = again(visitor)
    assert (known.member, known.receipts) == (member, ["482109375567"])

    known.sign_out()
    gone = again(known)
    assert (gone.member, gone.receipts) == (None, [])


def test_an_erased_member_is_signed_out_everywhere(member: Member) -> None:
    visitor = new_visitor()
    visitor.sign_in(member, now())
    Member.objects.filter(pk=member.pk).update(
        state="erased", phone_cipher=None, phone_index=None, name_cipher=None, erased_at=now()
    )

    assert again(visitor).member is None


def test_a_cookie_of_another_brand_or_name_or_hand_is_none(member: Member, stranger_brand: Brand) -> None:
    from django.db import connection

    visitor = new_visitor()
    visitor.act()
    visitor.sign_in(member, now())
    response = HttpResponse()
    visitor.write(response)
    request = RequestFactory().get("/")
    request.COOKIES = {name: morsel.value for name, morsel in response.cookies.items()}
    assert visitor_of(request).member == member

    request.COOKIES["asker"], request.COOKIES["receipts"] = request.COOKIES["member"], request.COOKIES["asker"]
    swapped = visitor_of(request)
    request.COOKIES["member"] = request.COOKIES["member"][:-1] + "x"
    forged = visitor_of(request)
    request.COOKIES["member"] = response.cookies["member"].value
    connection.set_tenant(stranger_brand)
    elsewhere = visitor_of(request)

    assert (swapped.asker, swapped.receipts) == (None, [])
    assert forged.member is None
    assert elsewhere.member is None


def test_only_a_code_given_moments_ago_opens_what_cannot_be_undone(member: Member) -> None:
    at = now().replace(microsecond=0)
    visitor = new_visitor()
    assert not visitor.is_fresh(at)

    visitor.sign_in(member, at)

    assert visitor.is_fresh(at + FRESH_FOR)
    assert not visitor.is_fresh(at + FRESH_FOR + timedelta(seconds=1))


def test_cookies_are_hidden_from_scripts_and_other_sites(brand: Brand, settings) -> None:
    settings.SECURE = True
    visitor = new_visitor()
    visitor.act()
    response = HttpResponse()

    visitor.write(response)

    cookie = response.cookies["__Host-asker"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "")


def test_receipts_kept_are_few_and_the_newest_first(brand: Brand) -> None:
    visitor = new_visitor()
    for number in range(30):
        visitor.keep_receipt(f"{number:012}")

    assert again(visitor).receipts == [f"{number:012}" for number in range(29, 17, -1)]
