"""Forms of the console: the brand's own words, recordings of prompts, notes about calls."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from redemption import wording
from redemption.texts import Text
from redemption.wording import BadWording

MOST_AUDIO_BYTES = 900_000  # a body may have 1 MB


class WordsForm(forms.Form):
    """The words of one text in one language; checked as they would be when they are kept."""

    words = forms.CharField(
        label=_("Words"), max_length=wording.MOST_CHARACTERS, widget=forms.Textarea(attrs={"rows": 5})
    )
    one = forms.CharField(
        label=_("Words for the number one"),
        max_length=wording.MOST_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 5}),
        required=False,
    )

    def __init__(self, text: Text, language: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.text, self.language = text, language
        if text.count_by:
            self.fields["words"].label = _("Words for other numbers") if self.tells_one else _("Words")
        if not self.tells_one:
            del self.fields["one"]

    @property
    def tells_one(self) -> bool:
        return wording.tells_one(self.text, self.language)

    def clean(self) -> dict[str, Any]:
        """Check each text with the longest values."""
        cleaned: dict[str, Any] = super().clean() or {}
        for name in self.fields:
            if name not in self.errors:
                try:
                    wording.check(self.text, cleaned.get(name, ""), self.language)
                except BadWording as error:
                    self.add_error(name, error.detail)
        return cleaned


class RecordingForm(forms.Form):
    """One recording, MP3 or WAV, told by its first bytes and not by its name."""

    audio = forms.FileField(
        label=_("Recording"),
        help_text=_("MP3 or WAV, at most 900 KB: half a minute of speech at 128 kbit/s is 480 KB."),
        widget=forms.ClearableFileInput(attrs={"accept": "audio/mpeg,audio/wav,.mp3,.wav"}),
    )
    media_type = ""

    def clean_audio(self) -> bytes:
        """Return the bytes; sets ``media_type``."""
        upload = self.cleaned_data["audio"]
        if upload.size > MOST_AUDIO_BYTES:
            raise forms.ValidationError(_("This file is larger than 900 KB."))
        audio: bytes = upload.read()
        self.media_type = media_type_of(audio)
        if not self.media_type:
            raise forms.ValidationError(_("This is neither MP3 nor WAV."))
        return audio


def media_type_of(audio: bytes) -> str:
    """Return the media type of a recording by its first bytes, or nothing."""
    if audio[:4] == b"RIFF" and audio[8:12] == b"WAVE":
        return "audio/wav"
    if audio[:3] == b"ID3" or (len(audio) > 1 and audio[0] == 0xFF and audio[1] & 0xE6 in {0xE2, 0xE4, 0xE6}):
        return "audio/mpeg"
    return ""
