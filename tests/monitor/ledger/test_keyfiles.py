"""Secret keys in files: made once, whole or not at all."""

import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.ledger import Ledger, LedgerError
from monitor.ledger.keyfiles import key_in
from monitor.ledger.rejects import Vault
from monitor.ledger.schema import meta
from tests.databases import ledger_url
from tests.small_centre import engine_at

KILLED = """
import os, signal, sys
from pathlib import Path
from monitor.ledger import keyfiles
setattr(keyfiles.os, sys.argv[2], lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
keyfiles.key_in(Path(sys.argv[1]), lambda: b"lost")
"""


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The second reader gets the key of the first, and nobody else can read it."""
    path = tmp_path / "secret.key"
    assert key_in(path, lambda: b"one") == key_in(path, lambda: b"two") == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("moment", ["fsync", "link"])
def test_a_process_killed_while_making_a_key_leaves_none(tmp_path: Path, moment: str) -> None:
    """Signal 9 in the middle leaves no empty key behind, which nothing could be encrypted with ever after."""
    path = tmp_path / "secret.key"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path), moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert key_in(path, lambda: b"next") == b"next"


@pytest.mark.parametrize(("key", "mode", "said"), [(b"", 0o600, "empty"), (b"key", 0o644, "readable by others")])
def test_an_unusable_key_file_is_refused_with_a_remedy(tmp_path: Path, key: bytes, mode: int, said: str) -> None:
    """What is wrong with the file, and what to do, is said."""
    path = tmp_path / "secret.key"
    path.write_bytes(key)
    path.chmod(mode)
    with pytest.raises(LedgerError, match=said):
        key_in(path, lambda: b"other")


@pytest.mark.parametrize("name", ["texts.key", "bodies.key", "rejects.key"])
@pytest.mark.usefixtures("each_database")
def test_a_writer_with_another_key_is_refused(tmp_path: Path, name: str) -> None:
    """It is told which file to copy, and has changed nothing; with the right keys it writes."""
    (tmp_path / "first").mkdir()
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    url = ledger_url(tmp_path)
    with engine_at(url, tmp_path / "first"):
        pass
    for key in (tmp_path / "first").glob("*.key"):
        shutil.copy(key, tmp_path / "second")
    with engine_at(url, tmp_path / "second"):
        pass
    (tmp_path / "second" / name).write_bytes(b"x" * 43 + b"=")
    with pytest.raises(LedgerError, match=f"copy {name} from the data folder"), engine_at(url, tmp_path / "second"):
        pass
    (tmp_path / "second" / name).unlink()
    with pytest.raises(LedgerError, match=f"{name}: this key is missing"), engine_at(url, tmp_path / "second"):
        pass
    assert not (tmp_path / "second" / name).exists()


@pytest.mark.usefixtures("each_database")
def test_of_two_first_writers_one_finds_that_it_has_other_keys(tmp_path: Path) -> None:
    """The keys of whoever commits first are the ledger's."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        other = tmp_path / "second" / "rejects.key"
        other.parent.mkdir()
        other.write_bytes(b"x" * 43 + b"=")
        other.chmod(0o600)
        with ledger.write() as connection:
            Vault(tmp_path / "first").confirm(connection)
        with ledger.write() as connection, pytest.raises(LedgerError, match=r"this is not the key"):
            Vault(tmp_path / "second").confirm(connection)


@pytest.mark.usefixtures("each_database")
def test_what_is_remembered_is_not_the_key(tmp_path: Path) -> None:
    """Nothing in the ledger gives a key away."""
    url = ledger_url(tmp_path)
    with engine_at(url, tmp_path) as engine, engine.ledger.read() as connection:
        stored = " ".join(f"{row.name} {row.value}" for row in connection.execute(select(meta)))
    assert "key/texts" in stored
    for key in tmp_path.glob("*.key"):
        assert key.read_text(encoding="ascii") not in stored
