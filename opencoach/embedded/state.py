"""The state folder: where it is, its private files and its locks."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def data_folder() -> Path:
    """`OPENCOACH_DATA`, or `.opencoach/` in the project; it need not exist yet."""
    named = os.environ.get("OPENCOACH_DATA")
    return Path(named).expanduser().absolute() if named else PROJECT_ROOT / ".opencoach"


def private_folder(path: Path) -> Path:
    """Make `path` for its owner alone, unless it is there; returns it without symlinks."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.resolve()


def write_private(path: Path, text: str) -> None:
    """Replace the file at once, readable by its owner alone: never half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


class FileLock:
    """A lock that the kernel releases when its holder dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def share(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def take(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def try_take(self) -> bool:
        """True if nobody else holds it, in which case it is ours alone."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        os.close(self._fd)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` alone, waiting for it if need be."""
    lock = FileLock(path)
    try:
        lock.take()
        yield
    finally:
        lock.release()
