"""The public pages of draws and instant games: when what was fixed, the proof to download, a check in the browser.

Nobody signs in. The pages say what only the offline program checks (`verify_draw.py`, which is in every bundle).
"""

from base64 import b64encode
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseNotModified, StreamingHttpResponse
from django.http.request import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from common.canonical import canonical
from common.clock import now
from lottery import proofs
from lottery.models import Bundle, Campaign, Draw
from redemption.door import ConsumerRequest, consumer_page, missing, page
from redemption.page import shorten

DRAWS_A_PAGE = 30
FOR_EVER = "public, max-age=31536000, immutable"


@lru_cache(maxsize=1)
def proof_style() -> SafeString:
    """Return the style of these pages, beside that of all consumer pages."""
    return mark_safe(shorten((Path(settings.BASE_DIR) / "static" / "proof.css").read_text()))  # noqa: S308 - our own file


@require_safe
@consumer_page
def draw_list(request: ConsumerRequest) -> HttpResponse:
    """List draws and instant games, the newest first."""
    at = now()
    found = Paginator(proofs.draws(), DRAWS_A_PAGE).get_page(request.GET.get("page"))
    games = list(proofs.games()[:DRAWS_A_PAGE]) if found.number == 1 else []
    return page(
        request,
        "draws.html",
        title=_("Draws"),
        proof_style=proof_style(),
        found=found,
        games=games,
        at=at,
    )


@require_safe
@consumer_page
def proof(request: ConsumerRequest, public_id: str) -> HttpResponse:
    """Show how far a draw or an instant game is, and what proves it."""
    one = proofs.draw(public_id)
    if one is not None:
        return _draw(request, one)
    game = proofs.games().filter(public_id=public_id).first()
    return missing(request) if game is None else _game(request, game)


def _draw(request: ConsumerRequest, one: Draw) -> HttpResponse:
    at, asked = now(), request.GET.get("entry", "")
    beacon = proofs.beacon_of(one.campaign)
    due = proofs.moment_of(beacon, one.round)
    found = proofs.find_entry(one, asked) if asked else None
    return page(
        request,
        "draw.html",
        title=_("Proof of a draw"),
        proof_style=proof_style(),
        draw=one,
        campaign=one.campaign,
        steps=proofs.draw_steps(one, at=at),
        results=proofs.results(one),
        editions=list(proofs.editions(draw=one)),
        beacon=beacon,
        due=due,
        overdue=due is not None and one.state == Draw.State.LISTED and at >= due,
        asked=asked,
        found=found,
        reason=void_reasons().get(found.reason, found.reason) if found else "",
        key=bytes(one.rules_key or b"").hex(),
        texts=check_texts(),
    )


def _game(request: ConsumerRequest, game: Campaign) -> HttpResponse:
    made = proofs.commitments(game)
    return page(
        request,
        "game.html",
        title=_("Proof of an instant game"),
        proof_style=proof_style(),
        campaign=game,
        is_over=game.state not in Campaign.BEFORE_THE_END,
        fairness=f"{request.path}/fairness",  # of the floor above
        steps=proofs.game_steps(game, at=now()),
        commitments=made,
        editions=list(proofs.editions(campaign=game)),
        key=bytes(made[0].key).hex() if made else "",
        texts=check_texts(),
    )


# --- files ---------------------------------------------------------------------------------------------------------------


def _draw_or_404(public_id: str) -> Draw:
    one = proofs.draw(public_id)
    if one is None:
        raise Http404
    return one


def _json(data: bytes, name: str) -> HttpResponse:
    """Return a signed file as it was signed, byte for byte."""
    response = HttpResponse(data, content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@require_safe
def rules_json(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the signed rules of a draw."""
    return _json(bytes(_draw_or_404(public_id).rules or b""), f"rules-{public_id}.json")


@require_safe
def root_json(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the signed root of a draw: who keeps it can show that another one came later."""
    one = _draw_or_404(public_id)
    if one.root_json is None:
        raise Http404
    return _json(bytes(one.root_json), f"root-{public_id}.json")


@require_safe
def commitments_json(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send what was committed to in an instant game, each text with its signature."""
    game = proofs.games().filter(public_id=public_id).first()
    if game is None:
        raise Http404
    told = [
        {
            "kind": one.kind,
            "attempt": one.attempt,
            "content": bytes(one.content).decode(),
            "hash": bytes(one.hash).hex(),
            "key": bytes(one.key).hex(),
            "signature": bytes(one.signature).hex(),
        }
        for one in proofs.commitments(game)
    ]
    return _json(canonical(told), f"commitments-{public_id}.json")


@require_safe
def bundle(request: HttpRequest, public_id: str, edition: int | None = None) -> HttpResponseBase:
    """Send a proof as it was written: the newest edition, or the one that is named, which never changes."""
    draw = proofs.draw(public_id)
    game = None if draw else proofs.games().filter(public_id=public_id).first()
    if draw is None and game is None:
        raise Http404
    found = proofs.editions(draw=draw) if draw else proofs.editions(campaign=game)
    one: Any = (found if edition is None else found.filter(edition=edition)).first()
    if one is None:
        raise Http404
    digest = bytes(one.hash)
    headers = {
        "ETag": f'"{digest.hex()}"',
        "Cache-Control": "no-cache" if edition is None else FOR_EVER,
        "Repr-Digest": f"sha-256=:{b64encode(digest).decode()}:",  # RFC 9530
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return HttpResponseNotModified(headers=headers)
    kind = "bundle" if one.kind == Bundle.Kind.DRAW else "reveal"
    headers |= {
        "Content-Length": str(one.size),
        "Content-Disposition": f'attachment; filename="{kind}-{public_id}-{one.edition}.zip"',
    }
    body = [] if request.method == "HEAD" else proofs.slices(one.pk, one.size)
    return StreamingHttpResponse(body, content_type="application/zip", headers=headers)


def void_reasons() -> dict[str, str]:
    """Return in words why an entry is void, by its code."""
    return {
        "cancelled": _("taken back by who entered"),
        "reversed": _("its redemption was taken back"),
        "halted": _("the draw was halted"),
    }


# --- what the check in the browser says --------------------------------------------------------------------------------------


def check_texts() -> dict[str, str]:
    """Return the texts of static/proof.js: of each check, and around them; ``{n}`` and the like are filled in there."""
    return {
        "holds": _("holds"),
        "fails": _("DOES NOT HOLD"),
        "left": _("not checked here"),
        "running": _("Checking …"),
        "end_holds": _("Everything that a browser can check holds."),
        "end_fails": _("Something does not hold. Keep this file and tell the brand, and whoever watches over it."),
        "unreadable": _("This is no proof that can be read: it is damaged, or another file."),
        "not_fetched": _("The proof could not be fetched. Try again, or choose a file that you saved."),
        "receipt_unreadable": _(
            "The receipt cannot be read: paste the whole text, or choose the file that you were given."
        ),
        "unsupported": _(
            "This browser offers no cryptography on this connection. Check the proof with the program instead: see below."
        ),
        "container": _("The proof holds the {n} files that it should."),
        "hashes": _("Every file is the one whose hash was signed."),
        "key": _("The proof is signed with the key that this page names: fingerprint {fingerprint}."),
        "signatures": _("The signatures (Ed25519) are right."),
        "one_draw": _("Rules, list and result are of one and the same draw."),
        "saved_root": _("The root that you saved is the one in this proof."),
        "rules_first": _("The rules were signed before the first entry ({at})."),
        "round": _("Round {round} is the one that the rules name."),
        "root_first": _("The list of entries was signed ({at}) before the public value came out ({due})."),
        "beacon_named": _("The public value is said to be that of round {round}."),
        "beacon": _(
            "That the value of round {round} really comes from drand is checked by the program, not here: its signature is"
            " of a kind (BLS) that browsers do not know."
        ),
        "beacon_private": _(
            "The value of round {round} comes from a private chain, NOT from the public drand network: this is a"
            " demonstration."
        ),
        "beacon_manual": _("The public value was typed by two persons: {value} Compare it with who publishes it."),
        "entries": _("{n} entries of weight {weight}, in the order of their leaves."),
        "root": _("The entries give the root that was signed: {root}"),
        "weights": _("No entry weighs more than {most}, and nothing entered twice."),
        "voided": _("The {n} void entries are those that were signed."),
        "prizes": _("The prizes are those of the rules."),
        "seed": _("Rules, root and public value give the seed {seed}"),
        "picks": _("The seed picks exactly the {n} winners and alternates that were published."),
        "entry_listed": _("Entry {entry} took part with weight {weight} of {total}."),
        "entry_missing": _("There is no entry {entry} in this list."),
        "entry_void": _("Entry {entry} is void: {reason} ({at})."),
        **{f"reason_{code}": words for code, words in void_reasons().items()},
        "won_tier": _("It won a prize of tier {tier}."),
        "alternate_tier": _("It is an alternate of tier {tier}."),
        "receipt_signed": _("The receipt is signed with the same key."),
        "receipt_other": _("The receipt is of another draw or game."),
        "receipt_missing": _(
            "Entry {entry} is neither in the list nor void, although its receipt is signed. Keep the receipt and this"
            " proof: together they prove a fraud."
        ),
        "one_game": _("Rules, commitments and reveal are of one and the same game."),
        "commitment_first": _("The first commitment ({at}) was made before the public value came out ({due})."),
        "secrets": _("The secrets are those that were committed to: {n}."),
        "second": _("The second commitment follows from the first and the public value."),
        "game_key": _("The secrets and the public value give the key of the game."),
        "thresholds": _("The thresholds are those that were committed to."),
        "pools": _("The pools are those that were committed to."),
        "ranges": _("The labels of pool {pool} are those that were committed to."),
        "excluded": _("The labels of pool {pool} that take no part are those that were committed to."),
        "pool": _("All {n} labels of pool {pool} recounted: exactly {winners} of them win."),
        "label_path": _("Label {serial} is in a batch that was committed to."),
        "play_won": _("By the rules this label wins tier {tier}, as the receipt says."),
        "play_lost": _("By the rules this label wins nothing, as the receipt says."),
    }
