"""What happened at the demo's brands in the last three months. Pure: the same seed and scale tell the same story.

Labels are named by batch and place within it; `config.demo.seed` turns the story into calls of the services.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from math import cos, hypot, radians
from random import Random

from config.demo import trade

DAYS = 97  # the last one is today, of which only what is past was told yet
GAME_ACTIVE_ON = 64  # when the labels of the instant game went on sale
GAME_PLAYED = 5_000  # its first labels, of which some were redeemed; the others are handed out
KEPT_BACK = 1_000  # the last labels of a batch that is sold: printed, never sent anywhere


@dataclass(frozen=True, slots=True)
class ProductPlan:
    """``number`` are the 12 digits of its GTIN-13 before the check digit; 952 is GS1's prefix for demonstrations."""

    key: str
    number: str
    sku: str
    name: str
    name_zh: str
    description: str
    description_zh: str

    @property
    def gtin(self) -> str:
        """The GTIN-13, by the weights 3 and 1 of the GS1 General Specifications, section 7.9."""
        total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(self.number))
        return f"{self.number}{-total % 10}"


@dataclass(frozen=True, slots=True)
class PartnerPlan:
    """``territory``: the codes of the regions that are a distributor's own."""

    kind: str
    name: str
    name_zh: str
    region: str
    territory: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """Points by party; days count from the beginning of the story. No products: all of them."""

    key: str
    name: str
    name_zh: str
    opens_on: int
    closes_on: int | None
    budget: int | None
    products: tuple[str, ...]
    points: tuple[tuple[str, int], ...]
    months: int | None = 24


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """Labels of a batch that are blocked, as places within it, from a day on."""

    first: int
    end: int
    reason: str
    day: int
    note: str


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """One batch. ``active_on`` None: printed, not on sale. ``valid_days``: codes lapse so long after activation."""

    key: str
    product: str
    labels: int
    ordered_on: int
    active_on: int | None = 0
    valid_days: int | None = None
    lot: str = ""
    test_series: bool = False
    blocks: tuple[BlockPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class City:
    """``prefix``: digits after 138 under which telephone numbers are issued there, or near."""

    name: str
    region: str
    lat: float
    lon: float
    weight: int
    prefix: str


@dataclass(frozen=True, slots=True)
class BrandPlan:
    """All that one brand has, and how much happened there."""

    products: tuple[ProductPlan, ...]
    partners: tuple[PartnerPlan, ...]
    campaigns: tuple[CampaignPlan, ...]
    batches: tuple[BatchPlan, ...]
    sold: tuple[tuple[str, int], ...]  # batch and weight
    members: int
    redemptions: int
    checks: int
    game: str = ""  # the batch whose labels play an instant game
    portal: tuple[tuple[str, str], ...] = ()  # user names, and for whom they act
    cartons: str = ""  # the batch that was sent in cases (`config.demo.trade`)

    @property
    def distributors(self) -> list[PartnerPlan]:
        """The distributors, in their order."""
        return [partner for partner in self.partners if partner.kind == "distributor"]

    def owner_of(self, region: str) -> int:
        """Return the place of the distributor whose province this is; the first one where it is nobody's."""
        owners = (place for place, partner in enumerate(self.distributors) if region in partner.territory)
        return next(owners, 0)

    def parts_of(self, key: str) -> list[tuple[int, int]]:
        """Return which places of a batch went to each distributor in equal parts: those of which the story tells."""
        batch = next(batch for batch in self.batches if batch.key == key)
        part = (GAME_PLAYED if key == self.game else batch.labels // 2) // len(self.distributors)
        return [(place * part, (place + 1) * part) for place in range(len(self.distributors))]


@dataclass(frozen=True, slots=True)
class Event:
    """One attempt of somebody at one door. ``minute`` counts from the beginning; ``person`` is a number of ours."""

    number: int
    minute: int
    act: str  # check | redeem
    door: str
    batch: str
    place_in_batch: int
    typed: str  # serial | secret | unknown | typo
    person: int
    english: bool = False
    city: City | None = None
    jitter: tuple[float, float] = (0.0, 0.0)
    accuracy_m: int = 30
    retailer: int | None = None
    promoter: int | None = None

    @property
    def after(self) -> timedelta:
        """How long after the beginning."""
        return timedelta(minutes=self.minute)


CITIES = (
    City("Hangzhou", "CN-ZJ", 30.274, 120.155, 14, "0571"),
    City("Ningbo", "CN-ZJ", 29.868, 121.544, 6, "0574"),
    City("Wenzhou", "CN-ZJ", 28.000, 120.667, 4, "0577"),
    City("Shanghai", "CN-SH", 31.230, 121.474, 16, "0021"),
    City("Suzhou", "CN-JS", 31.299, 120.585, 8, "0512"),
    City("Nanjing", "CN-JS", 32.060, 118.797, 8, "0025"),
    City("Xuzhou", "CN-JS", 34.204, 117.284, 3, "0516"),
    City("Hefei", "CN-AH", 31.864, 117.281, 4, "0551"),
    City("Beijing", "CN-BJ", 39.904, 116.407, 12, "0010"),
    City("Tianjin", "CN-TJ", 39.125, 117.190, 4, "0022"),
    City("Shijiazhuang", "CN-HE", 38.041, 114.479, 3, "0311"),
    City("Jinan", "CN-SD", 36.651, 117.120, 4, "0531"),
    City("Qingdao", "CN-SD", 36.065, 120.380, 4, "0532"),
    City("Zaozhuang", "CN-SD", 34.865, 117.554, 2, "0531"),
    City("Shenyang", "CN-LN", 41.806, 123.432, 3, "0024"),
    City("Harbin", "CN-HL", 45.750, 126.650, 2, "0451"),
    City("Guangzhou", "CN-GD", 23.129, 113.264, 12, "0020"),
    City("Shenzhen", "CN-GD", 22.543, 114.058, 12, "0228"),
    City("Foshan", "CN-GD", 23.027, 113.132, 4, "0020"),
    City("Dongguan", "CN-GD", 23.018, 113.749, 4, "0228"),
    City("Nanning", "CN-GX", 22.817, 108.317, 3, "0771"),
    City("Xiamen", "CN-FJ", 24.480, 118.089, 6, "0592"),
    City("Fuzhou", "CN-FJ", 26.074, 119.296, 5, "0591"),
    City("Quanzhou", "CN-FJ", 24.914, 118.586, 4, "0592"),
    City("Nanchang", "CN-JX", 28.684, 115.853, 3, "0791"),
    City("Shangrao", "CN-JX", 28.452, 117.943, 2, "0791"),
    City("Chengdu", "CN-SC", 30.573, 104.066, 8, "0028"),
    City("Mianyang", "CN-SC", 31.468, 104.682, 2, "0028"),
    City("Chongqing", "CN-CQ", 29.563, 106.552, 6, "0023"),
    City("Xi'an", "CN-SN", 34.342, 108.940, 5, "0029"),
    City("Kunming", "CN-YN", 25.038, 102.718, 3, "0871"),
    City("Wuhan", "CN-HB", 30.593, 114.305, 6, "0027"),
    City("Changsha", "CN-HN", 28.228, 112.939, 4, "0731"),
    City("Hengyang", "CN-HN", 26.890, 112.619, 2, "0731"),
    City("Zhengzhou", "CN-HA", 34.758, 113.649, 4, "0371"),
)
_HOMES = tuple(city for city in CITIES for _ in range(city.weight))
_TRAVELLING = 0.06
_BY_TEXT = 0.12
_DOORS = (("web", 66), ("api", 14), ("sms", 15), ("voice", 5))
_HOURS = (1, 1, 0, 0, 0, 1, 2, 4, 6, 8, 9, 9, 8, 7, 7, 8, 8, 9, 11, 13, 14, 12, 8, 4)
_STRIDE = 48_271  # a prime: neighbours in time are strangers on the roll

XILAN = BrandPlan(
    products=(
        ProductPlan("longjing", "952100010001", "XL-LJ-100", "Mingqian Longjing 100 g", "明前龙井 100克",
                    "Picked before Qingming on the slopes around West Lake.", "清明前采摘，西湖产区，豆香清雅。"),
        ProductPlan("tieguanyin", "952100010002", "XL-TG-250", "Anxi Tieguanyin 250 g", "安溪铁观音 250克",
                    "Lightly roasted oolong with an orchid note.", "清香型乌龙，兰香持久。"),
        ProductPlan("white", "952100010003", "XL-FD-350", "Fuding white tea cake 350 g", "福鼎白茶饼 350克",
                    "Aged three years; keeps getting better.", "三年陈化，毫香蜜韵。"),
        ProductPlan("rock", "952100010004", "XL-DH-125", "Wuyi Da Hong Pao 125 g", "武夷大红袍 125克",
                    "Rock tea, charcoal roasted.", "岩骨花香，足火炭焙。"),
        ProductPlan("jasmine", "952100010005", "XL-MH-080", "Jasmine silver needle 80 g", "茉莉银针 80克",
                    "Scented seven times with fresh blossoms.", "七窨茉莉，鲜灵持久。"),
        ProductPlan("puer", "952100010006", "XL-PE-357", "Ripe pu'er cake 357 g", "熟普七子饼 357克",
                    "Broad-leaf tea from Menghai.", "勐海大叶种，醇厚顺滑。"),
    ),
    partners=(
        PartnerPlan("distributor", "East China Tea Trading", "华东茶业贸易", "CN-ZJ", ("CN-ZJ", "CN-SH", "CN-JS", "CN-AH")),
        PartnerPlan("distributor", "South Gate Distribution", "南门商贸", "CN-GD", ("CN-GD", "CN-GX", "CN-HI")),
        PartnerPlan("distributor", "Northern Leaf Logistics", "北叶供应链", "CN-BJ",
                    ("CN-BJ", "CN-TJ", "CN-HE", "CN-SX", "CN-SD", "CN-NM", "CN-LN", "CN-JL", "CN-HL")),
        PartnerPlan("distributor", "Min River Tea Company", "闽江茶业", "CN-FJ", ("CN-FJ", "CN-JX")),
        PartnerPlan("distributor", "Western Springs Trading", "西泉商贸", "CN-SC",
                    ("CN-SC", "CN-CQ", "CN-YN", "CN-GZ", "CN-SN", "CN-GS", "CN-NX")),
        PartnerPlan("distributor", "Central Plain Tea & Goods", "中原茶货", "CN-HB", ("CN-HB", "CN-HN", "CN-HA")),
        PartnerPlan("retailer", "West Lake Tea House", "西湖茶馆", "CN-ZJ"),
        PartnerPlan("retailer", "Ningbo Harbour Store", "宁波港茶行", "CN-ZJ"),
        PartnerPlan("retailer", "Nanjing Road Tea Shop", "南京路茶庄", "CN-SH"),
        PartnerPlan("retailer", "Pingjiang Tea Room", "平江茶室", "CN-JS"),
        PartnerPlan("retailer", "Xuanwu Lake Market", "玄武湖茶市", "CN-JS"),
        PartnerPlan("retailer", "Liulichang Tea Store", "琉璃厂茶铺", "CN-BJ"),
        PartnerPlan("retailer", "Beijing Road Tea City", "北京路茶城", "CN-GD"),
        PartnerPlan("retailer", "Nanshan Gift Shop", "南山礼品店", "CN-GD"),
        PartnerPlan("retailer", "Gulangyu Tea Corner", "鼓浪屿茶角", "CN-FJ"),
        PartnerPlan("retailer", "Kuanzhai Alley Tea", "宽窄巷子茶铺", "CN-SC"),
        PartnerPlan("retailer", "Jiefangbei Tea Counter", "解放碑茶柜", "CN-CQ"),
        PartnerPlan("retailer", "East Lake Tea Shop", "东湖茶庄", "CN-HB"),
        PartnerPlan("promoter", "Lin Yue", "林悦", "CN-ZJ"),
        PartnerPlan("promoter", "Chen Wei", "陈薇", "CN-GD"),
        PartnerPlan("promoter", "Zhao Min", "赵敏", "CN-BJ"),
        PartnerPlan("promoter", "Wu Hao", "吴昊", "CN-SC"),
        PartnerPlan("promoter", "Huang Jing", "黄静", "CN-FJ"),
    ),
    campaigns=(
        CampaignPlan("autumn", "Autumn tea points", "秋茶积分", 0, None, 50_000_000, ("longjing", "tieguanyin", "jasmine", "rock"),
                     (("consumer", 100), ("retailer", 10), ("promoter", 5))),
        CampaignPlan("cake", "White tea season", "白茶季", 0, 78, 2_000_000, ("white",),
                     (("consumer", 260), ("retailer", 20), ("promoter", 10)), 12),
        CampaignPlan("launch", "Pu'er launch, first come first served", "普洱上市，先到先得", 30, None, 12_000, ("puer",),
                     (("consumer", 200), ("retailer", 15)), 12),
    ),
    batches=(
        BatchPlan("spring", "longjing", 1_000_000, -14, 0, lot="LJ2608A"),
        BatchPlan("oolong", "tieguanyin", 120_000, -12, 0, lot="TG2608B"),
        BatchPlan("cakes", "white", 80_000, -12, 0, lot="FD2608A"),
        BatchPlan("needles", "jasmine", 60_000, -2, 6, lot="MH2609A", blocks=(
            BlockPlan(0, 120, "spoiled", 2, "Set-up of the press"),
            BlockPlan(40_000, 42_000, "stolen", 40, "Two rolls missing at the depot"),
            BlockPlan(42_000, 43_500, "withdrawn", 55, "Wrong best-before date on the tin"),
            BlockPlan(44_000, 45_500, "recalled", 62, "Foreign matter found in lot MH2609A"),
        )),
        BatchPlan("ripe", "puer", 30_000, 10, 30, lot="PE2610A"),
        BatchPlan("gifts", "rock", 4_000, -10, 0, valid_days=60, lot="DH2608G"),
        BatchPlan("rock", "rock", 40_000, 70, None),
        BatchPlan("proof", "longjing", 500, -20, 0, test_series=True),
        BatchPlan("cartons", "tieguanyin", 24_000, -8, 0, lot="TG2608C"),
        BatchPlan("game", "longjing", 24_000, 55, GAME_ACTIVE_ON, lot="LJ2611S"),
    ),
    game="game",
    cartons="cartons",
    portal=(
        ("east.china", "East China Tea Trading"),
        ("south.gate", "South Gate Distribution"),
        ("west.lake", "West Lake Tea House"),
    ),
    sold=(("spring", 42), ("oolong", 24), ("cakes", 17), ("needles", 13), ("ripe", 4)),
    members=6_200,
    redemptions=8_400,
    checks=6_000,
)  # fmt: skip

SUYAN = BrandPlan(
    products=(
        ProductPlan("serum", "952200020001", "SY-S-30", "Camellia serum 30 ml", "山茶花精华 30毫升",
                    "Cold-pressed seed oil.", "冷榨山茶籽油，温和修护。"),
        ProductPlan("cream", "952200020002", "SY-C-50", "Snow lotus cream 50 g", "雪莲面霜 50克",
                    "For dry skin in winter.", "秋冬滋润，适合干性肌肤。"),
        ProductPlan("sun", "952200020003", "SY-U-40", "Light sunscreen SPF 50 40 ml", "轻透防晒乳 40毫升",
                    "Broad spectrum, no white cast.", "广谱防晒，不泛白。"),
    ),
    partners=(
        PartnerPlan("distributor", "Jiangnan Beauty Supply", "江南美妆供应", "CN-JS", ("CN",)),
        PartnerPlan("retailer", "Wulin Square Counter", "武林广场专柜", "CN-ZJ"),
        PartnerPlan("retailer", "Xintiandi Counter", "新天地专柜", "CN-SH"),
        PartnerPlan("retailer", "Tianhe Counter", "天河专柜", "CN-GD"),
        PartnerPlan("promoter", "Su Qing", "苏晴", "CN-SH"),
    ),
    campaigns=(
        CampaignPlan("skin", "Skin care club", "护肤会员礼", 0, None, 10_000_000, (),
                     (("consumer", 150), ("retailer", 12), ("promoter", 8))),
    ),
    batches=(
        BatchPlan("serum", "serum", 80_000, -12, 0, lot="SR2608"),
        BatchPlan("cream", "cream", 40_000, -12, 0, lot="CR2608", blocks=(
            BlockPlan(20_000, 21_000, "lost", 30, "Carton lost in transit"),
            BlockPlan(22_000, 22_600, "recalled", 50, "Jar lids out of tolerance"),
        )),
        BatchPlan("sun", "sun", 20_000, 60, None),
    ),
    sold=(("serum", 60), ("cream", 40)),
    portal=(("jiangnan", "Jiangnan Beauty Supply"),),
    members=900,
    redemptions=1_100,
    checks=700,
)  # fmt: skip

PLANS = {"demo": XILAN, "second": SUYAN}


def home_of(person: int) -> City:
    """Return where a person lives."""
    return _HOMES[person * _STRIDE % len(_HOMES)]


@cache
def _pulls(home: City) -> list[float]:
    """Return how strongly each city draws people from a home: by its size over its distance."""
    narrowing = cos(radians(home.lat))
    away_km = [111 * hypot(city.lat - home.lat, (city.lon - home.lon) * narrowing) for city in CITIES]
    return [city.weight / max(km, 50) if km else 0.0 for city, km in zip(CITIES, away_km, strict=True)]


def phone_of(person: int) -> str:
    """Return a person's number; one in nine got it where they lived before."""
    prefix = home_of(person if person % 9 else person + 101).prefix
    return f"+86138{prefix}{person:04d}"


def handed_out(plan: BrandPlan) -> dict[str, list[tuple[str, int, int]]]:
    """Return, per state, where `demo_labels` finds labels that the story never touches: (batch, first, end).

    Redeemed labels come from the story itself.
    """
    found: dict[str, list[tuple[str, int, int]]] = {"active": [], "inactive": [], "blocked": [], "recalled": []}
    for batch in plan.batches:
        if batch.test_series or batch.valid_days:
            continue
        if batch.active_on is None:
            found["inactive"].append((batch.key, 0, batch.labels))
        elif batch.key == plan.game:  # handed out first: whoever tries the demo scratches
            found["active"].insert(0, (batch.key, GAME_PLAYED, batch.labels - KEPT_BACK))
        elif batch is plan.batches[0]:
            found["active"].append((batch.key, batch.labels // 2, batch.labels - KEPT_BACK))
        for block in batch.blocks:
            if block.reason != "spoiled":  # such labels are void: they never left the press
                state = "recalled" if block.reason == "recalled" else "blocked"
                found[state].append((batch.key, block.first + 50, block.end))
    return found


def events(plan: BrandPlan, seed: str, scale: float) -> list[Event]:
    """Return everything that happened, in order of time."""
    return sorted(_Teller(plan, Random(seed), scale).tell(), key=lambda event: (event.minute, event.number))  # noqa: S311


class _Teller:
    """Draws the story. Every event has a number of its own, from which its request id is made."""

    def __init__(self, plan: BrandPlan, random: Random, scale: float) -> None:
        self.plan = plan
        self.random = random
        self.scale = scale
        self.numbers = count(1)
        self.used: Counter[tuple[str, int]] = Counter()
        self.parts = {key: plan.parts_of(key) for key, _weight in plan.sold}
        self.batches = {batch.key: batch for batch in plan.batches}
        self.retailers = [partner for partner in plan.partners if partner.kind == "retailer"]
        self.promoters = [partner for partner in plan.partners if partner.kind == "promoter"]

    def tell(self) -> Iterator[Event]:
        """Yield every event, in no order."""
        redemptions = list(self._redemptions())
        yield from redemptions
        yield from self._checks(redemptions)
        yield from self._second_tries(redemptions)
        yield from self._troubles()
        yield from self._copied_label()
        if self.plan.cartons:
            yield from self._cartons(self.plan.cartons)

    def _scaled(self, number: int) -> int:
        return max(3, round(number * self.scale))

    def _minute(self, first_day: int = 0, last_day: int = DAYS - 1) -> int:
        """Return a moment of the day's ordinary curve; later days and weekends are busier."""
        while True:
            day = self.random.randint(max(0, first_day), last_day)
            weight = (0.55 + 0.45 * day / DAYS) * (1.0 if day % 7 in {5, 6} else 0.75)
            if self.random.random() < weight:
                break
        [hour] = self.random.choices(range(24), _HOURS)
        return day * 1440 + hour * 60 + self.random.randrange(60)

    def _label(self, key: str, region: str) -> int:
        """Return a label that went to the distributor of a region and was not used before, scattered over its part."""
        place = self.plan.owner_of(region)
        first, end = self.parts[key][place]
        self.used[key, place] += 1
        return first + 200 + self.used[key, place] * _STRIDE % (end - first - 200)

    def _person(self) -> int:
        return self.random.randrange(self._scaled(self.plan.members))

    def _customer(self, owner: int) -> int:
        """Return somebody who lives in a distributor's territory."""
        people = (self._person() for _ in range(1_000))
        return next(person for person in people if self.plan.owner_of(home_of(person).region) == owner)

    def _met_at(self, person: int) -> City:
        """Return where somebody is met: at home, but for those who travel."""
        home = home_of(person)
        if self.random.random() >= _TRAVELLING:
            return home
        return self.random.choices(CITIES, _pulls(home))[0]

    def _partner(self, partners: Sequence[PartnerPlan], city: City, share: float) -> int | None:
        """Return the place in the list of a partner near the city, or None for that share which names none."""
        if not partners or self.random.random() >= share:
            return None
        near = [place for place, partner in enumerate(partners) if partner.region == city.region]
        return self.random.choice(near or range(len(partners)))

    def _event(
        self,
        minute: int,
        act: str,
        door: str,
        batch: str,
        label: int,
        *,
        typed: str = "",
        person: int | None = None,
        city: City | None = None,
        retailer: int | None = None,
        promoter: int | None = None,
    ) -> Event:
        person = self._person() if person is None else person
        located = self.random.random() < {"web": 0.85, "api": 0.6}.get(door, 0.0)
        return Event(
            number=next(self.numbers),
            minute=minute,
            act=act,
            door=door,
            batch=batch,
            place_in_batch=label,
            typed=typed or ("serial" if act == "check" else "secret"),
            person=person,
            english=self.random.random() < 0.08,
            city=(city or self._met_at(person)) if located else None,
            jitter=(self.random.uniform(-0.08, 0.08), self.random.uniform(-0.08, 0.08)),
            accuracy_m=self.random.choice((12, 25, 40, 65, 120)),
            retailer=retailer,
            promoter=promoter,
        )

    def _redemptions(self) -> Iterator[Event]:
        total, members = self._scaled(self.plan.redemptions), self._scaled(self.plan.members)
        people = [*range(members), *(self.random.randrange(members) for _ in range(total - members))]
        self.random.shuffle(people)
        keys, weights = zip(*self.plan.sold, strict=True)
        for person in people:
            [key] = self.random.choices(keys, weights)
            minute = self._minute((self.batches[key].active_on or 0) + 1)
            city = self._met_at(person)
            [door] = self.random.choices([door for door, _ in _DOORS], [weight for _, weight in _DOORS])
            retailer = self._partner(self.retailers, city, 0.7)
            promoter = self._partner(self.promoters, city, 0.25)
            yield self._event(
                minute, "redeem", door, key, self._label(key, home_of(person).region),
                person=person, city=city, retailer=retailer, promoter=promoter,
            )  # fmt: skip

    def _checks(self, redemptions: Sequence[Event]) -> Iterator[Event]:
        """Most look before they scratch; others look and leave it at that."""
        for number in range(self._scaled(self.plan.checks)):
            if number % 2:
                bought = self.random.choice(redemptions)
                minute = max(bought.minute - self.random.randint(1, 600), 1440 + 1)
                yield self._event(
                    minute, "check", "web", bought.batch, bought.place_in_batch, person=bought.person, city=bought.city
                )
            else:
                [key] = self.random.choices(*zip(*self.plan.sold, strict=True))
                door = self.random.choices(("web", "api", "sms"), (86, 10, 4))[0]
                minute = self._minute((self.batches[key].active_on or 0) + 1)
                typed = "secret" if door == "sms" else "serial"
                person = self._person()
                label = self._label(key, home_of(person).region)
                yield self._event(minute, "check", door, key, label, typed=typed, person=person)

    def _second_tries(self, redemptions: Sequence[Event]) -> Iterator[Event]:
        """Codes tried again: by the same person, and by somebody else; codes mistyped."""
        last = DAYS * 1440 - 1
        for again in self.random.sample(redemptions, min(self._scaled(150), len(redemptions))):
            same = self.random.random() < 0.6
            later = min(last, again.minute + self.random.randint(2, 6_000))
            person = again.person if same else None
            yield self._event(
                later, "redeem", "web", again.batch, again.place_in_batch, person=person, city=home_of(again.person)
            )
        for typed, number in (("typo", 70), ("unknown", 45)):
            for _ in range(self._scaled(number)):
                key = self.plan.sold[0][0]
                door, label = self.random.choice(("web", "sms")), self._label(key, "")
                yield self._event(self._minute(1), "redeem", door, key, label, typed=typed)

    def _troubles(self) -> Iterator[Event]:
        """Labels that are not for sale, blocked, recalled, lapsed, or samples."""
        for batch in self.plan.batches:
            if batch.test_series:
                yield self._event(self._minute(1), "check", "web", batch.key, 7)
            elif batch.active_on is None:
                for number in range(self._scaled(12)):
                    at = self._minute(batch.ordered_on + 5)
                    yield self._event(at, "check", "web", batch.key, batch.labels - 1 - number)
            elif batch.valid_days:
                for number in range(self._scaled(60)):
                    yield self._event(self._minute(1), "redeem", "web", batch.key, number)
            for block in batch.blocks:
                for number in range(self._scaled(9)):
                    at = self._minute(block.day + 1)
                    act = self.random.choice(("check", "redeem"))
                    yield self._event(at, act, "web", batch.key, block.first + number, person=self._customer(0))

    def _cartons(self, key: str) -> Iterator[Event]:
        """Units of the cases that were sent out, opened by people who live where they were sold."""
        markets = {
            place: [city.name for city in _HOMES if city.region in partner.territory]
            for place, partner in enumerate(self.plan.distributors)
        }
        people: dict[str, list[int]] = {city.name: [] for city in CITIES}
        for person in range(self.plan.members):
            people[home_of(person).name].append(person)
        for one in trade.openings(self.random, markets, last_day=DAYS - 1, share=self.scale):
            person = self.random.choice(people[one.city])
            act, door = ("redeem", "web") if one.redeems else ("check", "web")
            if self.random.random() < _BY_TEXT:
                door = "sms"
            typed = "secret" if door == "sms" else ""
            yield self._event(one.minute, act, door, key, one.place_in_batch, typed=typed, person=person)
        for person in self.random.sample(people["Wenzhou"], 3):  # a label that nobody was ever sent
            label = self.batches[key].labels - KEPT_BACK // 2
            yield self._event(self._minute(82, 92), "check", "web", key, label, person=person)

    def _copied_label(self) -> Iterator[Event]:
        """One genuine label, copied: looked at all over the country within ten days."""
        key = self.plan.sold[0][0]
        label = self._label(key, CITIES[0].region)
        for city in self.random.sample(CITIES, 14):
            for _ in range(2):
                yield self._event(self._minute(80, 90), "check", "web", key, label, city=city)
