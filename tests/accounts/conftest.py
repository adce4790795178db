from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client as Browser

from opencoach.accounts.scopes import ALL_SCOPES
from opencoach.accounts.services import create_api_key
from tests.conftest import Cast


@dataclass
class Api:
    """An integrator's HTTP client."""

    key: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return Browser().generic(
            method,
            f"/api/v1/{path}",
            data=b"" if body is None else _encoded(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}", **headers},
        )


def _encoded(body: Any) -> bytes:
    import json

    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture
def api(cast: Cast) -> Api:
    return Api(create_api_key(workspace=cast.workspace, name="site", scopes=ALL_SCOPES)[1])


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()
