"""Lines of a document that come as a CSV file, in UTF-8 with or without a byte order mark."""

import csv
import io

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from channel.papers import BadPaper


def sheet(file: UploadedFile, *needed: str) -> list[dict[str, str]]:
    """Return the rows of a file by the names of its columns, cells stripped. Raises `BadPaper`."""
    try:
        reader = csv.DictReader(io.StringIO(file.read().decode("utf-8-sig")), restval="")
        for column in needed:
            if column not in (reader.fieldnames or []):
                raise BadPaper(_("The file has no column {name}.").format(name=column))
        return [{name: cell.strip() for name, cell in row.items() if isinstance(cell, str)} for row in reader]
    except UnicodeDecodeError:
        raise BadPaper(_("The file is not in UTF-8.")) from None
    except csv.Error:
        raise BadPaper(_("The file cannot be read.")) from None
