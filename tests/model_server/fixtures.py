"""Loaded by `pytest_plugins` of the top conftest; one server process per xdist worker."""

from collections.abc import Iterator

import pytest

from tests.model_server import ModelServer


@pytest.fixture(scope="session")
def model_server_process() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def model_server(model_server_process: ModelServer) -> ModelServer:
    """The server with nothing scripted, whatever the test before it asked for."""
    model_server_process.reset()
    return model_server_process
