"""Makers of the tests' few inhabitants. Each calls the services, as a door would; keywords change one thing at a time."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from channel.models import Partner
from channel.services import create_partner
from labels import queries as labels
from labels.models import Batch, Product
from labels.services import activate, create_product, generate_batch, order_batch
from lottery.models import Campaign
from lottery.services import NewAward, create_campaign, open_campaign
from members.models import Member
from redemption.rules import Attempt, Door
from tests.conftest import NOW

CONSUMER, STRANGER_PHONE = "+8613800138000", "+8613900139000"
POINTS_PER_LABEL, RETAILER_POINTS, PROMOTER_POINTS = 100, 10, 5
_numbers = itertools.count(1)


def gtin14(number: int) -> str:
    """Return a GTIN-14 with its check digit."""
    body = f"0690123{number:06}"
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(body))
    return f"{body}{-total % 10}"


def make_product(*, name: str = "Spring Tea", name_zh: str = "明前春茶", at: datetime = NOW, **values: Any) -> Product:
    values.setdefault("gtin", gtin14(next(_numbers)))
    return create_product(name=name, name_zh=name_zh, at=at, **values)


def make_batch(
    *, product: Product | None = None, count: int = 10, secret_form: str = "N16", at: datetime = NOW, **values: Any
) -> Batch:
    """Order and generate a batch; nothing of it is active."""
    batch = order_batch(
        order_key=values.pop("order_key", f"order-{next(_numbers)}"),
        product=product or make_product(at=at),
        count=count,
        secret_form=secret_form,
        at=at,
        asked_by="maker",
        **values,
    )
    generate_batch(batch.pk)
    return Batch.objects.get(pk=batch.pk)


def make_active_batch(count: int = 10, *, product: Product | None = None, at: datetime = NOW, **values: Any) -> Batch:
    """Make a batch with every label on sale."""
    order = {name: values.pop(name) for name in ("secret_form", "order_key", "max_odds") if name in values}
    batch = make_batch(product=product, count=count, at=at, **order)
    activate(
        label_range=(batch.label_range.lower, batch.label_range.upper),
        product=batch.product,
        at=at,
        asked_by="maker",
        **values,
    )
    return Batch.objects.get(pk=batch.pk)


def labels_of(batch: Batch) -> list[int]:
    """Return the numbers of a batch's labels."""
    return list(range(batch.label_range.lower, batch.label_range.upper))


def secrets_of(batch: Batch) -> list[str]:
    """Return the hidden codes of a batch, in order."""
    return list(labels.secrets_of(labels_of(batch)))


def secret_of(label_no: int) -> str:
    return labels.secrets_of([label_no])[0]


def serial_of(label_no: int) -> str:
    return labels.serials_of([label_no])[0]


def make_campaign(
    *,
    product: Product | None = None,
    consumer: int = POINTS_PER_LABEL,
    retailer: int = RETAILER_POINTS,
    promoter: int = PROMOTER_POINTS,
    budget: int | None = None,
    expires_after_months: int | None = None,
    at: datetime = NOW,
    opened: bool = True,
    **values: Any,
) -> Campaign:
    """Make a campaign that pays three parties, open since yesterday; a party of 0 points gets no award."""
    parties = {"consumer": consumer, "retailer": retailer, "promoter": promoter}
    campaign = create_campaign(
        name=values.pop("name", "Spring"),
        name_zh=values.pop("name_zh", "春季积分"),
        opens_at=values.pop("opens_at", at - timedelta(days=1)),
        awards=[
            NewAward(
                party=party,
                points=points,
                product_id=product.pk if product else None,
                expires_after_months=expires_after_months,
            )
            for party, points in parties.items()
            if points
        ],
        budget=budget,
        at=at,
        **values,
    )
    return open_campaign(campaign.pk, at=at) if opened else campaign


def make_partner(kind: str = "retailer", *, number: str = "", name: str = "Corner Shop", at: datetime = NOW) -> Partner:
    return create_partner(kind=kind, name=name, name_zh="街角小店", number=number, at=at)


def make_member(phone: str = CONSUMER, *, at: datetime = NOW) -> Member:
    from django.db import transaction

    from members.services import members_for_phones

    with transaction.atomic():
        holder = members_for_phones([phone], at=at)[phone]
    return Member.objects.get(pk=holder.member_id)


def make_attempt(code: str | None = None, **values: Any) -> Attempt:
    """Make an attempt of the consumer at the API, with a request id of its own."""
    values.setdefault("door", Door.API)
    values.setdefault("at", NOW)
    values.setdefault("request_id", f"request-{next(_numbers)}")
    if values["door"] is Door.API:
        values.setdefault("client_id", 1)
    if not {"phone", "asker", "member_id"} & values.keys():
        values["phone"] = CONSUMER
    return Attempt(code=code, **values)


def make_check(**values: Any) -> Attempt:
    """Make a check by nobody in particular, without a request id."""
    values.setdefault("door", Door.API)
    values.setdefault("at", NOW)
    return Attempt(**values)


def balance_of(phone: str = CONSUMER) -> int:
    """Return the points of a number's member, 0 if there is none."""
    member = Member.objects.filter(pk__in=_member_ids([phone])).select_related("account").first()
    return member.account.posted if member else 0


def _member_ids(phones: Sequence[str]) -> list[int]:
    from members.queries import members_at

    return [holder.member_id for holder in members_at(phones).values() if holder.member_id]
