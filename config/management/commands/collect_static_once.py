"""Collect the static files, unless those of this very state were collected already."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import BaseCommand, call_command

from config.build import unchanged

IGNORED = ["src", ".*", "*~"]  # src: what static/build is made from


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare names, sizes and times with the stamp of the last collection."""
        files = []
        for finder in get_finders():
            for path, storage in finder.list(IGNORED):
                info = Path(storage.path(path)).stat()
                files.append(f"{path} {info.st_size} {info.st_mtime_ns}")
        state, stamp = "\n".join(sorted(files)), settings.STATIC_ROOT / ".stamp"
        if unchanged(stamp, state):
            return
        call_command("collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=IGNORED)
        stamp.write_text(state)
