"""The language of a text by its script. Pure."""


def language_of_text(text: str, usual: str) -> str:
    """Return "zh-hans" for a text with a Chinese character, "en" for one with a Latin letter, else ``usual``."""
    if any("\u4e00" <= letter <= "\u9fff" for letter in text):
        return "zh-hans"
    return "en" if any(letter.isalpha() and letter.isascii() for letter in text) else usual
