"""Secret keys in files: made once, whole or not at all."""

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.ledger import LedgerError
from monitor.ledger.keyfiles import key_in

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
