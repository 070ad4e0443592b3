"""What higher floors hold about a member: modules named in ``PERSONAL_DATA_HOLDERS``, asked at export and erasure."""

from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, cast

from django.conf import settings


class PersonalDataHolder(Protocol):
    """A module of a higher floor that keeps something about members."""

    def export(self, member_id: int) -> dict[str, Any]:
        """Return everything about the member, as JSON values under names that fit beside the others'."""

    def erase(self, member_id: int, *, at: datetime) -> None:
        """Clear everything personal about the member; called inside the transaction of the erasure."""


def holders() -> Iterator[PersonalDataHolder]:
    """Yield the modules that the settings name."""
    for path in settings.PERSONAL_DATA_HOLDERS:
        yield cast("PersonalDataHolder", import_module(path))
