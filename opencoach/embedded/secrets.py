"""Secrets that a machine makes for itself, once, and keeps in the state folder."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from opencoach.embedded.state import locked, private_folder, write_private


def _password() -> str:
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Secrets:
    """Whoever loses `field_encryption_keys` loses what was encrypted with it."""

    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(50))
    field_encryption_keys: str = field(default_factory=_fernet_key)
    """Fernet keys, comma-separated, as the environment variable has them."""
    demo_password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    postgres_password: str = field(default_factory=_password)
    postgres_superuser_password: str = field(default_factory=_password)
    redis_password: str = field(default_factory=_password)


def ensure_secrets(data_dir: Path) -> Secrets:
    """The secrets in `data_dir/secrets.json` (mode 0600), made there if absent.

    A secret that an older version did not know is added; none is ever changed.
    """
    path = data_dir / "secrets.json"
    kept = _read(path)
    if len(kept) == len(Secrets.__dataclass_fields__):
        return Secrets(**kept)
    with locked(private_folder(data_dir) / "secrets.lock"):
        made = Secrets(**_read(path))
        write_private(path, json.dumps(asdict(made), indent=2) + "\n")
    return made


def _read(path: Path) -> dict[str, str]:
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return {name: stored[name] for name in Secrets.__dataclass_fields__ if name in stored}
