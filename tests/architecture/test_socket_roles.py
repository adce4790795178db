"""Every socket with each role of the cast: who is let in, and how the others are sent away."""

from websockets.exceptions import ConnectionClosed

from conversations.routing import websocket_urlpatterns
from tests.architecture.conftest import Stage
from tests.architecture.roles import ROLES, SOCKETS
from tests.architecture.routes import address
from tests.conftest import Person
from tests.live import WebProcess


def _opened(web: WebProcess, path: str, person: Person | None) -> int:
    """0 when the first frame is a welcome, else the code that the socket was closed with."""
    with web.socket(path, person) as socket:
        try:
            while socket.next()["type"] == "error":
                pass
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else -1
        return 0


def test_every_socket_has_its_line() -> None:
    assert {str(route.pattern) for route in websocket_urlpatterns} == set(SOCKETS)


def test_each_socket_lets_in_whom_its_line_says(web: WebProcess, stage: Stage) -> None:
    arguments = stage.arguments()
    got = {
        route: tuple(_opened(web, address(route, arguments), stage.person(role)) for role in ROLES)
        for route in SOCKETS
    }
    assert got == SOCKETS
