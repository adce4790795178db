"""Keys and tokens: making, hashing, encrypting and reading them."""

import hashlib
import secrets
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core import signing

API_KEY_PREFIX = "ock_"
CLIENT_TOKEN_PREFIX = "oct_"  # noqa: S105
_CLIENT_TOKEN_SALT = "opencoach.client-token"  # noqa: S105

__all__ = [
    "API_KEY_PREFIX",
    "CLIENT_TOKEN_PREFIX",
    "ClientToken",
    "InvalidToken",
    "TokenRefused",
    "decrypt",
    "digest_of",
    "encrypt",
    "is_current",
    "new_api_key",
    "read_client_token",
    "rotated",
    "sign_client_token",
]


def new_api_key() -> str:
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def digest_of(api_key: str) -> bytes:
    return hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).digest()


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(plaintext: str) -> bytes:
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(plaintext.encode())


def decrypt(ciphertext: bytes) -> str:
    """Raises `InvalidToken` when no configured key made it."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(bytes(ciphertext)).decode()


def rotated(ciphertext: bytes) -> bytes:
    """The same secret under the first key of `FIELD_ENCRYPTION_KEYS`."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).rotate(bytes(ciphertext))


def is_current(ciphertext: bytes) -> bool:
    """Whether the first key of `FIELD_ENCRYPTION_KEYS` made it."""
    try:
        _fernet((settings.FIELD_ENCRYPTION_KEYS[0],)).decrypt(bytes(ciphertext))
    except InvalidToken:
        return False
    return True


@dataclass(frozen=True, slots=True)
class ClientToken:
    workspace_id: UUID
    client_id: UUID


class TokenRefused(Exception):
    """`expired` tells an old token, which the integrator renews, from one that never was ours."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("expired" if expired else "invalid")
        self.expired = expired


def sign_client_token(workspace_id: UUID, client_id: UUID) -> str:
    """Stateless: signed with the secret key and the time, so a check costs no query."""
    claims = [workspace_id.hex, client_id.hex]
    return CLIENT_TOKEN_PREFIX + _signer().sign_object(claims)


def _signer() -> signing.TimestampSigner:
    # Sockets carry tokens as a subprotocol, in which RFC 6455 allows no colon.
    return signing.TimestampSigner(salt=_CLIENT_TOKEN_SALT, sep=".")


def read_client_token(token: str) -> ClientToken:
    """Raises `TokenRefused`."""
    try:
        workspace, client = _signer().unsign_object(
            token.removeprefix(CLIENT_TOKEN_PREFIX), max_age=settings.CLIENT_TOKEN_SECONDS
        )
        return ClientToken(UUID(workspace), UUID(client))
    except signing.SignatureExpired:
        raise TokenRefused(expired=True) from None
    except (signing.BadSignature, ValueError, TypeError, UnicodeError):
        raise TokenRefused(expired=False) from None
