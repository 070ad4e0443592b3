from django.utils.translation import override

from ledger.services import HoldEnded


def test_an_error_speaks_the_readers_language() -> None:
    with override("en"):
        english = HoldEnded().detail
    with override("zh-hans"):
        chinese = HoldEnded().detail

    assert english == "The hold was settled, voided or has expired."
    assert chinese == "此预留已结算、已取消或已过期。"
