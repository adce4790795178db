"""The environment that settings read, completed for one command.

Settings know only environment variables. What nobody set comes from here: the
generated secrets, and the addresses of embedded servers that run for as long as the
command does.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from opencoach.embedded.processes import ServerError
from opencoach.embedded.secrets import ensure_secrets
from opencoach.embedded.servers import servers
from opencoach.embedded.state import PROJECT_ROOT, data_folder

# These ask nothing of a database or of Redis. All others get them, since Django and
# our checks may: `makemigrations --check` compares with the applied migrations.
COMMANDS_WITHOUT_SERVERS = frozenset(
    {
        "help",
        "version",
        "diffsettings",
        "collectstatic",
        "findstatic",
        "makemessages",
        "compilemessages",
        "spectacular",
        "startapp",
        "startproject",
    }
)
HELP = {"-h", "--help", "--version"}

# Settings want an address even where nobody will call it.
NOWHERE = {
    "DATABASE_URL": "postgresql://127.0.0.1:1/not-started",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


@contextmanager
def environment(argv: Sequence[str]) -> Iterator[None]:
    """Run `manage.py <argv>` with a complete environment.

    Embedded servers are shared with a running `serve`, or run for this command's
    own duration. Exits with a message if one does not start.
    """
    _read_env_file()
    with ExitStack() as stack:
        if _needs_servers(argv):
            _exit_in_order_on_signals()
            try:
                stack.enter_context(complete_environment(data_folder()))
            except ServerError as error:
                sys.exit(str(error))
        else:
            _set_missing(_generated(data_folder()) | NOWHERE)
        try:
            yield
        except KeyboardInterrupt:
            sys.exit(130)


@contextmanager
def complete_environment(data_dir: Path, *, durable: bool = True) -> Iterator[None]:
    """Set what is missing in `os.environ`, with servers that run for the block."""
    _set_missing(_generated(data_dir))
    missing = {name for name in NOWHERE if not os.environ.get(name)}
    if not missing:
        yield
        return
    wanted = {"postgres": "DATABASE_URL" in missing, "redis": "REDIS_URL" in missing}
    with servers(data_dir, durable=durable, **wanted) as urls:
        addresses = {"DATABASE_URL": urls.database_url, "REDIS_URL": urls.redis_url}
        _set_missing({name: url for name, url in addresses.items() if url})
        yield


def _generated(data_dir: Path) -> dict[str, str]:
    values = {"OPENCOACH_DATA": str(data_dir)}
    if not (os.environ.get("SECRET_KEY") and os.environ.get("FIELD_ENCRYPTION_KEYS")):
        secrets = ensure_secrets(data_dir)
        values["SECRET_KEY"] = secrets.secret_key
        values["FIELD_ENCRYPTION_KEYS"] = secrets.field_encryption_keys
    return values


def _set_missing(values: dict[str, str]) -> None:
    """An empty variable counts as missing: `.env.example` has many."""
    os.environ.update({name: v for name, v in values.items() if not os.environ.get(name)})


def _needs_servers(argv: Sequence[str]) -> bool:
    command = argv[1] if len(argv) > 1 else "help"
    return command not in COMMANDS_WITHOUT_SERVERS and HELP.isdisjoint(argv)


def _read_env_file() -> None:
    """`.env` may name servers, so it is read before anything asks for them."""
    if (path := PROJECT_ROOT / ".env").exists():
        import environ

        environ.Env.read_env(path)


def _exit_in_order_on_signals() -> None:
    """SIGTERM and a closed terminal unwind the stack, so that the servers are stopped."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _exit_once)


def _exit_once(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not cut the clean-up short
    sys.exit(128 + number)
