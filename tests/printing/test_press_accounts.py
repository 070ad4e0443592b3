"""Somebody at a press signs in with a second factor, fetches the files of that press once, and sees nothing else."""

import pytest
from django.test import Client, override_settings

from labels.models import Roll
from printing import accounts, handover as files
from printing.models import Handover, PressAccount
from staff.models import Audit, User
from staff.permissions import TABLE
from staff.services import NameTaken
from tests.printing.conftest import Handing, client_of, refusals


def let_in(handing: Handing, name: str = "ren", *, of: str = "red") -> User:
    press = getattr(handing, of)
    return accounts.create_account(press, username=name, at=handing.at, asked_by="pia")[0]


def test_the_press_fetches_its_file_once_and_acknowledges_it(handing: Handing) -> None:
    ren, one = let_in(handing), handing.files[0]
    browser, path = client_of(ren), f"/console/press/files/{one.public_id}"
    listed = browser.get("/console/press").content.decode()
    assert all(file.public_id in listed for file in handing.files)
    assert "GENUINE" in browser.get(path).content.decode()
    assert browser.get(f"{path}/manifest.json").content == bytes(one.manifest)
    assert browser.get(f"{path}/manifest.sig").content == bytes(one.signature)
    assert b"PUBLIC_KEY" in browser.get("/console/press/verify_manifest.py").content

    cipher = files.path_of(one.public_id).read_bytes()
    whole = browser.get(f"{path}/file")
    assert (whole.status_code, b"".join(whole)) == (200, cipher)
    assert b"".join(browser.get(f"{path}/file", headers={"Range": "bytes=99-"})) == cipher[99:]
    assert browser.get(f"{path}/file").status_code == 410
    assert browser.post(f"{path}/acknowledge", {"plain_hash": one.cipher_hash}).status_code == 422
    tampered = {"plain_hash": one.plain_hash, "manifest_hash": "0" * 64}
    assert browser.post(f"{path}/acknowledge", tampered).status_code == 422
    assert browser.post(f"{path}/acknowledge", {"plain_hash": one.plain_hash}).status_code == 302

    assert Roll.objects.get(pk=one.roll_id).state == "handed_over"
    assert refusals() == [("gone", "ren"), ("wrong_hash", "ren"), ("tampered_manifest", "ren")]
    fetched = Audit.objects.filter(act="download")
    assert {(row.actor, row.row_id) for row in fetched} == {("ren", str(one.pk))}


def test_another_press_gets_nothing_and_the_try_is_kept(handing: Handing) -> None:
    let_in(handing)
    blue, path = let_in(handing, "bea", of="blue"), f"/console/press/files/{handing.files[0].public_id}"
    browser = client_of(blue)
    listed = browser.get("/console/press").content.decode()
    assert handing.files[0].public_id not in listed

    for what in ("", "/manifest.json", "/manifest.sig", "/file"):
        assert browser.get(path + what).status_code == 404
    assert browser.post(f"{path}/acknowledge", {"plain_hash": handing.files[0].plain_hash}).status_code == 404

    assert refusals() == [("another_press", "bea")] * 5
    assert Handover.objects.filter(downloaded_at=None).count() == 3
    assert client_of(User.objects.get(username="ren")).get(path).status_code == 200


def test_staff_cannot_fetch_for_a_press_that_signs_in_itself(handing: Handing) -> None:
    path = f"/console/handovers/{handing.files[0].public_id}/file"
    ren = let_in(handing)
    assert client_of(handing.pia).get(path).status_code == 403
    assert refusals() == [("press_fetches", "pia")]

    accounts.set_account_in_use(PressAccount.objects.get(user=ren), is_active=False)
    assert client_of(handing.pia).get(path).status_code == 200


def test_a_press_out_of_use_or_a_closed_account_fetches_nothing(handing: Handing) -> None:
    ren, path = let_in(handing), f"/console/press/files/{handing.files[0].public_id}"
    browser = client_of(ren)
    assert browser.get(path).status_code == 200

    type(handing.red).objects.filter(pk=handing.red.pk).update(is_active=False)
    assert browser.get(f"{path}/file").status_code == 404
    assert handing.files[0].public_id not in browser.get("/console/press").content.decode()
    type(handing.red).objects.filter(pk=handing.red.pk).update(is_active=True)
    accounts.set_account_in_use(PressAccount.objects.get(user=ren), is_active=False)
    assert browser.get(path).status_code == 302  # to the sign-in: the session is over


def test_the_press_sees_no_page_of_the_brand(handing: Handing) -> None:
    browser = client_of(let_in(handing))
    assert [operation for operation, roles in TABLE.items() if "press" in roles] == ["printing.fetch"]

    assert browser.get("/console/")["Location"] == "/console/press"
    for path in ("/console/batches", f"/console/presses/{handing.red.public_id}", "/console/audit", "/console/jobs"):
        refused = browser.get(path)
        assert refused.status_code == 403
        assert "ola" not in refused.content.decode()
    page = browser.get("/console/press").content.decode()
    assert "/console/search" not in page
    assert "/console/batches" not in page


def test_a_download_asks_for_the_password_or_factor_again(handing: Handing) -> None:
    path = f"/console/press/files/{handing.files[0].public_id}/file"
    answer = client_of(let_in(handing), fresh=False).get(path)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/console/account/confirm")
    assert Handover.objects.filter(downloaded_at=None).count() == 3


@override_settings(STAFF_MFA="required")
def test_a_press_must_set_up_a_second_factor_first(handing: Handing) -> None:
    assert client_of(let_in(handing)).get("/console/press")["Location"] == "/console/account/second-factor/app"


def test_signing_in_leads_to_the_files(handing: Handing) -> None:
    user, password = accounts.create_account(handing.red, username="ren", at=handing.at, asked_by="pia")

    answer = Client(HTTP_HOST="brand.localhost").post(
        "/console/sign-in", {"login": user.username, "password": password}
    )

    assert answer["Location"] == "/console/press"


# --- the brand's side ------------------------------------------------------------------------------------------------


def test_accounts_are_made_closed_and_given_passwords_by_those_who_keep_presses(handing: Handing) -> None:
    browser, base = client_of(handing.pia), f"/console/presses/{handing.red.public_id}"
    assert browser.post(f"{base}/accounts/new", {"username": "r e n"}).status_code == 422
    made = browser.post(f"{base}/accounts/new", {"username": "ren", "language": "zh-hans"})
    account = PressAccount.objects.get()
    assert (made.status_code, account.user.role, account.created_by) == (200, "press", "pia")
    assert browser.post(f"{base}/accounts/new", {"username": "REN"}).status_code == 422
    before = account.user.password

    browser.post(f"{base}/accounts/{account.pk}", {"password": "new"})
    assert User.objects.get(username="ren").password != before
    browser.post(f"{base}/accounts/{account.pk}", {"use": "no"})
    assert not User.objects.get(username="ren").is_active
    assert "ren" in browser.get(base).content.decode()
    assert client_of(User.objects.create_user("wei", role="warehouse")).get(f"{base}/accounts/new").status_code == 403
    with pytest.raises(NameTaken):
        let_in(handing, "Ola")


def test_the_log_of_a_press_tells_who_came_for_what(handing: Handing) -> None:
    one, path = handing.files[0], f"/console/presses/{handing.red.public_id}/log"
    browser = client_of(let_in(handing))
    b"".join(browser.get(f"/console/press/files/{one.public_id}/file"))
    browser.get(f"/console/press/files/{one.public_id}/file")
    client_of(let_in(handing, "bea", of="blue")).get(f"/console/press/files/{one.public_id}")

    page = client_of(handing.pia).get(path).content.decode()
    lines = client_of(handing.pia).get(f"{path}?format=csv").content.decode().splitlines()

    assert "File fetched" in page
    assert [text in page for text in ("gone", "another_press", "bea", "127.0.0.0/24")] == [True] * 4
    assert sum(one.public_id in line for line in lines) >= 4
    other = client_of(handing.pia).get(f"/console/presses/{handing.blue.public_id}/log").content.decode()
    assert "File fetched" not in other
