"""A brand's own words: checked before they are kept, used at every door from then on, edited by some."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import connection, transaction
from django.test import Client

from brands.models import Brand
from redemption import wording
from redemption.messages import say
from redemption.models import Recording, Wording
from redemption.rules import Door, Outcome
from redemption.texts import TEXTS
from redemption.wording import BadWording, reword
from staff.models import Audit
from tests.conftest import NOW
from tests.redemption.test_messages import FULL, YOURS

OWN = "真品！{product}，+{points}分，共{balance}分。回执{receipt}"


def keep(key: str, language: str, words: str, one: str = "") -> None:
    with transaction.atomic():
        reword(key, language, words, one, by="ada", at=NOW)


def test_own_words_are_used_at_every_door_in_their_language(brand: Brand) -> None:
    connection.tenant.short_name_zh = "溪岚"
    before = say(FULL, "en", Door.SMS)

    keep("redeemed", "zh-hans", OWN)

    assert say(FULL, "zh", Door.SMS).startswith("【溪岚】真品！茶")
    assert say(FULL, "zh", Door.API).startswith("真品！茶")
    assert "加9999999分" in say(FULL, "zh", Door.VOICE)
    assert say(FULL, "en", Door.SMS) == before
    assert Audit.objects.filter(table_name="redemption_wording", act="insert").exists()


def test_the_delivered_words_come_back(brand: Brand) -> None:
    before = say(FULL, "zh", Door.SMS)
    keep("redeemed", "zh-hans", OWN)

    with transaction.atomic():
        wording.restore("redeemed", "zh-hans")

    assert say(FULL, "zh", Door.SMS) == before
    assert not Wording.objects.exists()


def test_one_and_many_have_their_own_words_in_english(brand: Brand) -> None:
    many = "Genuine. Seen {n} times, first {date}. Receipt {receipt}"
    keep("repeat_you", "en", many, many.replace("{n} times", "{n} time, once"))
    seen = replace(FULL, outcome=Outcome.GENUINE_REPEAT, earlier=YOURS)

    assert "Seen 88 times" in say(seen, "en", Door.WEB)
    assert "Seen 1 time, once" in say(replace(seen, earlier=replace(YOURS, count=1)), "en", Door.WEB)


@pytest.mark.parametrize(
    ("key", "language", "words", "said"),
    [
        ("redeemed", "en", "Hello {name}. {points} {balance} {receipt}", "{name}"),
        ("redeemed", "en", "{points} {balance} {receipt.__class__}", "Braces"),
        ("redeemed", "en", "{points:>9} {balance} {receipt}", "Braces"),
        ("redeemed", "en", "{points!r} {balance} {receipt}", "Braces"),
        ("redeemed", "en", "{points} {balance} {receipt", "Braces"),
        ("redeemed", "en", "{} {points} {balance} {receipt}", "Braces"),
        ("redeemed", "en", "{0} {points} {balance} {receipt}", "Braces"),
        ("redeemed", "en", "{points} of {balance}", "{receipt}"),
        ("redeemed", "en", "  ", "from 1 to"),
        ("redeemed", "en", "x" * 401, "from 1 to"),
        ("redeemed", "en", "{points} {balance} {receipt} " + "x" * 120, "takes 2"),
        ("redeemed", "en", "{points} {balance} {receipt} 真的是正品，请放心使用，感谢您的支持与信任", "takes 2"),
        ("redeemed", "zh-hans", OWN + "谢谢您的支持与信任，祝您生活愉快", "takes 2"),
        ("repeat_other", "en", "{n} {date} {place} {receipt} " + "x" * 250, "takes 3"),
    ],
)
def test_words_that_cannot_be_sent_are_refused(brand: Brand, key: str, language: str, words: str, said: str) -> None:
    keep(key, language, wording.delivered(TEXTS[key], language), wording.delivered(TEXTS[key], language, 1))

    with pytest.raises(BadWording) as refused:
        keep(key, language, words, words)

    assert said in refused.value.detail
    assert Wording.objects.get().words == wording.delivered(TEXTS[key], language)


def test_typographic_signs_do_not_make_a_message_dearer(brand: Brand) -> None:
    keep("language_set", "en", "We’ll answer you — in “English”.")

    assert wording.length(TEXTS["language_set"], "We’ll answer you — in “English”.", "en").encoding == "GSM-7"


def test_the_editor_counts_keeps_and_restores(browse: Callable[..., Client]) -> None:
    marketer = browse("marketer")
    path = "/console/texts/redeemed/zh-hans"
    assert marketer.get("/console/texts?language=zh-hans").status_code == 200
    assert "正品。{product}" in marketer.get(path).content.decode()

    long = marketer.post(f"{path}/measure", {"words": OWN + "谢" * 20}).content.decode()
    fine = marketer.post(f"{path}/measure", {"words": OWN}).content.decode()

    assert "2 parts of 1" in long
    assert "of 70" in fine
    assert "1 part of 1" in fine
    assert "真品！明前春茶，+120分" in fine
    assert "knows nothing called" in marketer.post(f"{path}/measure", {"words": "{who}"}).content.decode()
    refused = marketer.post(path, {"words": OWN + "谢" * 20})
    assert refused.status_code == 422
    assert OWN in refused.content.decode()
    assert not Wording.objects.exists()
    assert marketer.post(path, {"words": OWN}).status_code == 302
    assert Wording.objects.get().changed_by == "the-marketer"
    assert marketer.post(path, {"restore": "1"}).status_code == 302
    assert not Wording.objects.exists()


@pytest.mark.parametrize(
    "path", ["/console/texts/nothing/en", "/console/texts/redeemed/fr", "/console/texts?language=fr"]
)
def test_there_is_no_other_text(browse: Callable[..., Client], path: str) -> None:
    assert browse("owner").get(path).status_code == 404


def test_support_reads_and_does_not_write(browse: Callable[..., Client]) -> None:
    support = browse("support")

    assert support.get("/console/texts/redeemed/en").status_code == 200
    assert support.post("/console/texts/redeemed/en", {"words": "{points} {balance} {receipt}"}).status_code == 403
    assert browse("warehouse").get("/console/texts").status_code == 403
    assert not Wording.objects.exists()


# --- recordings --------------------------------------------------------------------------------------------------------

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28)


def upload(client: Client, audio: bytes, name: str = "greeting.wav") -> int:
    from django.core.files.uploadedfile import SimpleUploadedFile

    path = "/console/texts/recordings/greeting/en"
    return client.post(path, {"audio": SimpleUploadedFile(name, audio)}).status_code


def test_a_recording_is_kept_played_and_taken_away(browse: Callable[..., Client]) -> None:
    owner = browse("owner")

    assert upload(owner, WAV) == 302
    first = Recording.objects.get()
    assert upload(owner, b"ID3" + bytes(50), "x.mp3") == 302
    second = Recording.objects.get()

    assert (first.media_type, second.media_type) == ("audio/wav", "audio/mpeg")
    assert first.public_id != second.public_id
    played = Client(HTTP_HOST="brand.localhost").get(f"/recordings/{second.public_id}")
    assert played["Content-Type"] == "audio/mpeg"
    assert played["X-Content-Type-Options"] == "nosniff"
    [kept] = Audit.objects.filter(table_name="redemption_recording", act="insert").values_list("after", flat=True)[:1]
    assert "audio" not in kept
    assert owner.get("/console/texts/recordings").status_code == 200
    assert owner.post("/console/texts/recordings/greeting/en", {"remove": "1"}).status_code == 302
    assert not Recording.objects.exists()


@pytest.mark.parametrize(
    "audio", [b"", b"<html>", b"%PDF-1.4", b"RIFFxxxxAVI ", b"OggS" + bytes(40), b"ID3" + bytes(900_001)]
)
def test_what_is_no_recording_is_refused(browse: Callable[..., Client], audio: bytes) -> None:
    owner = browse("owner")
    assert upload(owner, WAV) == 302

    assert upload(owner, audio) in {422, 413}
    assert bytes(Recording.objects.get().audio) == WAV


def test_what_changes_from_call_to_call_is_no_recording(browse: Callable[..., Client]) -> None:
    assert browse("owner").get("/console/texts/recordings/receipt/en").status_code == 404
    assert browse("support").get("/console/texts/recordings/greeting/en").status_code == 403
