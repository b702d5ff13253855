"""The file of a bundle: a ZIP archive, stored and not compressed, the same bytes for the same contents."""

from collections.abc import Mapping
from io import BytesIO
from typing import Final
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

BYTES_MAX: Final = 256 * 1024 * 1024
"""A bundle of the largest case with a hundred versions of a large rulebook stays below; more is none of ours."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class Damaged(ValueError):
    """An archive that is not as it was written: `file` of it that was changed, or `archive`, and why."""

    def __init__(self, file: str, why: str) -> None:
        self.file, self.why = file, why
        super().__init__(f"{file}: {why}")


def write(files: Mapping[str, bytes]) -> bytes:
    """Write files into an archive, in the order of their names."""
    written = BytesIO()
    with ZipFile(written, "w", ZIP_STORED) as archive:
        for name in sorted(files):
            entry = ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o600 << 16  # whatever system it is written on
            archive.writestr(entry, files[name])
    return written.getvalue()


def read(raw: bytes) -> dict[str, bytes]:
    """Read an archive that `write` wrote. Raises Damaged for any byte that is another."""
    if len(raw) > BYTES_MAX:
        raise Damaged("archive", f"{len(raw):,} bytes, more than {BYTES_MAX:,}")
    files: dict[str, bytes] = {}
    try:
        with ZipFile(BytesIO(raw)) as archive:
            for entry in archive.infolist():
                if entry.compress_type != ZIP_STORED or entry.filename in files:
                    raise Damaged(entry.filename, "not stored as this program stores it")
                files[entry.filename] = _content(archive, entry)
    except Damaged:
        raise
    # What zipfile raises for bytes that are no archive, depending on where they are wrong; none of it is swallowed.
    except (BadZipFile, ValueError, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise Damaged("archive", f"no ZIP archive: {error}") from None
    again = write(files)
    if again != raw:
        place = next(
            (at for at, (a, b) in enumerate(zip(again, raw, strict=False)) if a != b), min(len(again), len(raw))
        )
        raise Damaged("archive", f"byte {place} is not as this program writes it")
    return files


def _content(archive: ZipFile, entry: ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except BadZipFile as error:
        raise Damaged(entry.filename, f"its checksum is wrong: {error}") from None
