"""Reading partners."""

from collections.abc import Collection

from channel.models import Partner


def partners_by_number(numbers: Collection[str]) -> dict[str, Partner]:
    """Return those of the numbers that name a partner who may earn now, under the spelling asked for.

    A paused or closed partner is not among them: who names it is told that there is no such partner.
    """
    plain = {number: number.strip().upper() for number in numbers}
    rows = Partner.objects.filter(number__in=set(plain.values()), state=Partner.State.ACTIVE)
    found = {partner.number: partner for partner in rows}
    return {number: found[upper] for number, upper in plain.items() if upper in found}
