"""The brand's route to market, one module a noun: partners and their territories, regions, units, documents."""

from channel.models.documents import Custody, Document, Line, Movement
from channel.models.events import Capture, Event, Told
from channel.models.partners import Contract, Partner, ProductLine, Territory
from channel.models.regions import Region
from channel.models.units import Unit, UnitAlias, UnitParent, UnitRange

__all__ = [
    "Capture",
    "Contract",
    "Custody",
    "Document",
    "Event",
    "Line",
    "Movement",
    "Partner",
    "ProductLine",
    "Region",
    "Territory",
    "Told",
    "Unit",
    "UnitAlias",
    "UnitParent",
    "UnitRange",
]
