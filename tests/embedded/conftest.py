from collections.abc import Iterator
from pathlib import Path

import pytest

from opencoach.embedded import Urls, servers


@pytest.fixture(scope="package")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder whose path no Unix socket could have."""
    return tmp_path_factory.mktemp("state") / ("a-long-name" * 12)


@pytest.fixture
def running(data_dir: Path) -> Iterator[Urls]:
    with servers(data_dir) as urls:
        yield urls
