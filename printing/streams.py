"""Files that are never whole anywhere: read from pieces as they are made, hashed on the way."""

import hashlib
from collections.abc import Iterable
from typing import IO, Protocol

Piece = bytes | memoryview


class Reader(Protocol):
    """A file that is read from its start."""

    def read(self, size: int = -1, /) -> bytes:
        """Return bytes."""


class PiecesReader:
    """What pieces add up to, as a file to read from."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end."""
        found = bytearray()
        while size < 0 or len(found) < size:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = memoryview(piece)
            part = self._rest if size < 0 else self._rest[: size - len(found)]
            found += part
            self._rest = self._rest[len(part) :]
        return bytes(found)


class HashingReader(PiecesReader):
    """The same with its SHA-256. ``error`` keeps what the pieces raised, since not every caller of `read` raises it."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        super().__init__(pieces)
        self._hash = hashlib.sha256()
        self.error: Exception | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end."""
        try:
            found = super().read(size)
        except Exception as error:
            self.error = error
            raise
        self._hash.update(found)
        return found

    @property
    def sha256(self) -> str:
        """The hash of what has been read."""
        return self._hash.hexdigest()


class HashingWriter:
    """A file to write to, with the SHA-256 and the size of what was written; ``error`` as for reading."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0
        self.error: Exception | None = None

    def write(self, data: bytes) -> int:
        """Write bytes."""
        self._hash.update(data)
        self.size += len(data)
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Hand what is written on to the system."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """The hash of what has been written."""
        return self._hash.hexdigest()
