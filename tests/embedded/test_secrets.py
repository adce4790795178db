import json
import stat
from pathlib import Path

from cryptography.fernet import Fernet

from opencoach.embedded import ensure_secrets


def test_secrets_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    made = ensure_secrets(tmp_path / "state")
    assert ensure_secrets(tmp_path / "state") == made
    mode = (tmp_path / "state" / "secrets.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_the_encryption_key_is_one_that_fernet_takes(tmp_path: Path) -> None:
    Fernet(ensure_secrets(tmp_path).field_encryption_keys)


def test_a_secret_that_an_older_version_did_not_know_is_added(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"secret_key": "kept", "gone": "x"}))
    made = ensure_secrets(tmp_path)
    assert made.secret_key == "kept"
    assert made == ensure_secrets(tmp_path)
