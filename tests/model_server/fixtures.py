"""Loaded by `pytest_plugins` of the top conftest; one server process per xdist worker."""

from collections.abc import Iterator

import pytest

from tests.model_server import ModelServer


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server
