"""What the benchmark redeems: labels on sale, an offer that pays three parties, partners, known members, an API key."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from django.db import connection, transaction
from django_tenants.utils import get_tenant_model

from channel.services import create_partner
from common.clock import now
from labels.queries import secrets_of, serials_of
from labels.services import activate, create_product, generate_batch, order_batch
from lottery.services import NewAward, create_campaign, open_campaign
from members.services import members_for_phones
from redemption.rules import Attempt, Door
from staff.apikeys import create_key

POINTS = {"consumer": 100, "retailer": 10, "promoter": 5}
SECRETS_AT_ONCE = 20_000


@dataclass
class Stock:
    """The labels of one brand, each handed out once."""

    schema: str
    token: str
    key_id: int
    retailers: list[str]
    promoters: list[str]
    phones: list[str]
    first: int
    end: int
    used: int = 0
    numbered: int = 0
    _secrets: list[str] = field(default_factory=list)

    def secrets(self, count: int) -> list[str]:
        """Return hidden codes that nobody was given before."""
        use_brand(self.schema)
        while len(self._secrets) < count:
            start = self.first + self.used
            stop = min(self.end, start + SECRETS_AT_ONCE)
            if start >= stop:
                raise RuntimeError("the benchmark has used up its labels")
            self._secrets += secrets_of(range(start, stop))
            self.used += stop - start
        found, self._secrets = self._secrets[:count], self._secrets[count:]
        return found

    def serials(self, count: int) -> list[str]:
        """Return open serials, the same ones each time."""
        use_brand(self.schema)
        return serials_of(range(self.first, self.first + count))

    def contents(self, count: int, *, parties: bool = True) -> list[dict[str, str]]:
        """Return bodies of redemptions: a new code, one of the known members, one of the shops and promoters."""
        bodies = []
        for code in self.secrets(count):
            self.numbered += 1
            body = {"code": code, "phone": self.phones[self.numbered * 7919 % len(self.phones)]}
            if parties:
                body["retailer"] = self.retailers[self.numbered * 31 % len(self.retailers)]
                body["promoter"] = self.promoters[self.numbered * 37 % len(self.promoters)]
            bodies.append(body)
        return bodies

    def attempts(self, count: int, *, parties: bool = True) -> list[Attempt]:
        """Return attempts as the API's views make them."""
        at = now()
        return [
            Attempt(
                door=Door.API, at=at, request_id=f"{self.schema}-{self.numbered}-{n}", client_id=self.key_id, **body
            )
            for n, body in enumerate(self.contents(count, parties=parties))
        ]


def use_brand(schema: str) -> None:
    """Point this thread's connection at a brand."""
    connection.set_schema_to_public()
    connection.set_tenant(get_tenant_model().objects.get(schema_name=schema))


def stock_up(schema: str, *, labels: int, members: int = 5000, shops: int = 200) -> Stock:
    """Make everything in the brand's schema, to which the connection is pointed."""
    use_brand(schema)
    at = now() - timedelta(days=1)
    product = create_product(gtin="06901234567892", name="Spring tea", name_zh="春茶", at=at)
    batch = order_batch(order_key="bench", product=product, count=labels, at=at)
    generate_batch(batch.pk)
    batch.refresh_from_db()
    first, end = batch.label_range.lower, batch.label_range.upper
    activate(label_range=(first, end), product=product, at=at)
    awards = [NewAward(party=party, points=points) for party, points in POINTS.items()]
    campaign = create_campaign(name="Spring", name_zh="春", opens_at=at, awards=awards, budget=10**12, at=at)
    open_campaign(campaign.pk, at=at)
    key, token = create_key("bench", ["read", "check", "redeem"], at=at)
    phones = [f"+86138{n:08d}" for n in range(members)]
    for some in _chunks(phones, 500):
        with transaction.atomic():
            members_for_phones(some, at=at)
    partners = {
        kind: [create_partner(kind=kind, name=f"{kind} {n}", at=at).number for n in range(shops)]
        for kind in ("retailer", "promoter")
    }
    return Stock(schema, token, key.pk, partners["retailer"], partners["promoter"], phones, first, end)


def _chunks(items: list[str], size: int) -> Iterator[list[str]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
