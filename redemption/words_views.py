"""The console's editor of texts and recordings: what people read and hear at the SMS and telephone doors."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from common.clock import now
from redemption import wording
from redemption.models import Recording
from redemption.prompts import PROMPTS
from redemption.texts import TEXTS, Text
from redemption.wording import BadWording, Own
from redemption.words_forms import RecordingForm, WordsForm
from sms_gateway.queries import part_prices
from sms_gateway.segments import Parts
from staff.permissions import allowed, staff_view

GROUPS = {
    "outcome": gettext_lazy("Answers about codes"),
    "message": gettext_lazy("Answers to other messages"),
    "play": gettext_lazy("What a label won, added to its answer"),
    "news": gettext_lazy("News added to an answer"),
}
LANGUAGE_NAMES = {"en": "English", "zh-hans": "简体中文"}
# What the preview says, (English, Chinese).
USUAL: dict[str, tuple[str, str]] = {
    "product": ("Spring Tea", "明前春茶"),
    "place": ("Hangzhou", "杭州市"),
    "points": ("120", "120"),
    "balance": ("1360", "1360"),
    "expiring": ("240", "240"),
    "n": ("3", "3"),
    "date": ("22 Nov 2026", "2026年11月22日"),
    "time": ("11:42", "11:42"),
    "left": ("4", "4"),
    "want": ("16", "16"),
    "got": ("15", "15"),
}
NAME_HINTS = {
    "brand": gettext_lazy("the brand's short name"),
    "hotline": gettext_lazy("the hotline"),
    "product": gettext_lazy("the product"),
    "place": gettext_lazy("city of the first check or of the redemption"),
    "receipt": gettext_lazy("the receipt number"),
    "points": gettext_lazy("points of this code"),
    "balance": gettext_lazy("points in all"),
    "expiring": gettext_lazy("points that expire soon"),
    "n": gettext_lazy("how many checks before"),
    "date": gettext_lazy("the day"),
    "time": gettext_lazy("when to try again"),
    "left": gettext_lazy("tries left"),
    "want": gettext_lazy("digits that a code has"),
    "got": gettext_lazy("digits that came"),
    "prize": gettext_lazy("the prize"),
    "won": gettext_lazy("points won"),
}


@staff_view("texts.read")
@require_GET
def texts(request: HttpRequest) -> HttpResponse:
    """List every text in one language, with its length and what it costs."""
    language = _language_or_404(request.GET.get("language", _reader_s()))
    own = wording.own_wordings()
    groups = [
        (name, [_row(text, language, own) for text in TEXTS.values() if text.group == group])
        for group, name in GROUPS.items()
    ]
    context = {"groups": groups, "language": language, "languages": LANGUAGE_NAMES, "own": len(own)}
    return render(request, "redemption/console/texts.html", context)


@staff_view("texts.read")
@require_http_methods(["GET", "POST"])
def text(request: HttpRequest, key: str, language: str) -> HttpResponse:
    """Show one text; word it anew, or go back to the delivered words."""
    found, language = _text_or_404(key), _language_or_404(language)
    own = wording.own_wordings().get((key, language))
    may_edit = allowed(request.user, "texts.edit")
    form = WordsForm(found, language, request.POST or None, initial=_initial(found, language, own))
    if request.method == "POST":
        return _change(request, found, language, form)
    return _text_page(request, found, language, form, own=own, may_edit=may_edit)


@staff_view("texts.edit")
def _change(request: HttpRequest, found: Text, language: str, form: WordsForm) -> HttpResponse:
    if "restore" in request.POST:
        with transaction.atomic():
            wording.restore(found.key, language)
        messages.success(request, _("The delivered words are back."))
        return redirect("words:text", key=found.key, language=language)
    if not form.is_valid():
        return _text_page(request, found, language, form, status=422)
    with transaction.atomic():
        wording.reword(
            found.key,
            language,
            form.cleaned_data["words"],
            form.cleaned_data.get("one", ""),
            by=request.user.get_username(),
            at=now(),
        )
    messages.success(request, _("The new words are in use from the next message on."))
    return redirect("words:text", key=found.key, language=language)


@staff_view("texts.read")
@require_POST
def measure(request: HttpRequest, key: str, language: str) -> HttpResponse:
    """Return preview, length and cost of words that are being written."""
    found, language = _text_or_404(key), _language_or_404(language)
    return render(request, "redemption/console/text_measure.html", _measured(found, request.POST, language))


def _text_page(
    request: HttpRequest,
    found: Text,
    language: str,
    form: WordsForm,
    *,
    own: Own | None = None,
    may_edit: bool = True,
    status: int = 200,
) -> HttpResponse:
    typed = request.POST if form.is_bound else _initial(found, language, own)
    with translation.override(language):
        before = wording.sample(found, "", language, values=_usual(language))
    context = {
        "text": found,
        "language": language,
        "languages": LANGUAGE_NAMES,
        "language_name": LANGUAGE_NAMES[language],
        "form": form,
        "own": own,
        "may_edit": may_edit,
        "before": before,
        "delivered": wording.delivered(found, language),
        "names": [(name, NAME_HINTS[name], name in found.facts) for name in sorted(found.names - {"brand"})],
        **_measured(found, typed, language),
    }
    return render(request, "redemption/console/text.html", context, status=status)


def _initial(found: Text, language: str, own: Own | None) -> dict[str, str]:
    words = own or Own(wording.delivered(found, language, 2), wording.delivered(found, language, 1))
    return {"words": words.words, "one": words.one}


def _measured(found: Text, typed: Any, language: str) -> dict[str, Any]:
    """Return one measure for each wording that the language tells apart."""
    names = ["words", *(["one"] if wording.tells_one(found, language) else [])]
    return {"measures": [_measure(found, typed.get(name, ""), language, one=name == "one") for name in names]}


def _measure(found: Text, words: str, language: str, *, one: bool) -> dict[str, Any]:
    measured: dict[str, Any] = {"one": one, "most": found.most_parts, "fault": "", "parts": None}
    try:
        measured["parts"] = parts = wording.length(found, words, language)
        measured["preview"] = wording.sample(found, words, language, values=_usual(language, one=one))
        measured["limit"] = _limit(parts, found.most_parts)
        measured["width"] = min(120, 120 * parts.units // measured["limit"])
        measured["costs"] = _costs(parts)
        wording.check(found, words, language)
    except BadWording as error:
        measured["fault"] = error.detail
    return measured


def _limit(parts: Parts, most: int) -> int:
    single, each = (160, 153) if parts.encoding == "GSM-7" else (70, 67)
    return single if most == 1 else most * each


def _costs(parts: Parts) -> list[tuple[str, str]]:
    """Return what ten thousand of these messages cost, in the first countries that are written to."""
    return [
        (region, f"{price * parts.count / 100:,.2f} {settings.SMS_CURRENCY}") for region, price in part_prices()[:4]
    ]


def _usual(language: str, *, one: bool = False) -> dict[str, str]:
    from django.db import connection

    chinese = language == "zh-hans"
    with translation.override(language):
        brand = connection.tenant
        values = {name: both[chinese] for name, both in USUAL.items()}
        values |= {"brand": brand.message_name, "hotline": brand.hotline}
    return values | ({"n": "1", "left": "1"} if one else {})


def _row(found: Text, language: str, own: dict[tuple[str, str], Own]) -> dict[str, Any]:
    mine = own.get((found.key, language))
    words = mine.words if mine else wording.delivered(found, language)
    return {"text": found, "words": words, "own": mine is not None, "parts": wording.length(found, words, language)}


def _reader_s() -> str:
    return "zh-hans" if (translation.get_language() or "").startswith("zh") else "en"


def _text_or_404(key: str) -> Text:
    if key not in TEXTS:
        raise Http404
    return TEXTS[key]


def _language_or_404(language: str) -> str:
    if language not in LANGUAGE_NAMES:
        raise Http404
    return language


# --- recordings --------------------------------------------------------------------------------------------------------


@staff_view("texts.read")
@require_GET
def recordings(request: HttpRequest) -> HttpResponse:
    """List the prompts of the telephone door, with what is read out or played in each language."""
    kept = {(row.prompt, row.language): row for row in Recording.objects.defer("audio")}
    rows = []
    for key, prompt in PROMPTS.items():
        for language, name in LANGUAGE_NAMES.items():
            with translation.override(language):
                words = str(prompt.words)
            rows.append(
                {
                    "key": key,
                    "prompt": prompt,
                    "language": language,
                    "language_name": name,
                    "words": words,
                    "recording": kept.get((key, language)),
                }
            )
    context = {"rows": rows, "may_edit": allowed(request.user, "texts.edit")}
    return render(request, "redemption/console/recordings.html", context)


@staff_view("texts.edit")
@require_http_methods(["GET", "POST"])
def recording(request: HttpRequest, key: str, language: str) -> HttpResponse:
    """Upload a recording of one prompt in one language, or take it away."""
    prompt, language = PROMPTS.get(key), _language_or_404(language)
    if prompt is None or not prompt.recordable:
        raise Http404
    if request.method == "POST" and "remove" in request.POST:
        Recording.objects.filter(prompt=key, language=language).delete()
        messages.success(request, _("The prompt is read out again."))
        return redirect("words:recordings")
    form = RecordingForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        audio = form.cleaned_data["audio"]
        with transaction.atomic():
            # a new row, so that a carrier that keeps the old address's sound asks anew
            Recording.objects.filter(prompt=key, language=language).delete()
            Recording.objects.create(
                prompt=key,
                language=language,
                media_type=form.media_type,
                audio=audio,
                size=len(audio),
                uploaded_by=request.user.get_username(),
                uploaded_at=now(),
            )
        messages.success(request, _("The recording is played from the next call on."))
        return redirect("words:recordings")
    with translation.override(language):
        words = str(prompt.words)
    context = {
        "form": form,
        "prompt": prompt,
        "words": words,
        "language": language,
        "language_name": LANGUAGE_NAMES[language],
        "recording": Recording.objects.defer("audio").filter(prompt=key, language=language).first(),
    }
    return render(request, "redemption/console/recording.html", context, status=422 if form.is_bound else 200)


@require_GET
def play(request: HttpRequest, public_id: str) -> HttpResponse:
    """Hand out a recording: the carrier fetches it without signing in, by an address that nobody can guess."""
    found = Recording.objects.filter(public_id=public_id).first()
    if found is None:
        raise Http404
    answer = HttpResponse(bytes(found.audio), content_type=found.media_type)
    answer.headers["Cache-Control"] = "public, max-age=86400, immutable"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
