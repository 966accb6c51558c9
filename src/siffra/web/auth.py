"""Who may come in: the hosts that are ours, tokens for the door, and the cookie behind it."""

import hmac
import secrets
import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address

LOOPBACK = ("127.0.0.1", "localhost")
_EVERY_ADDRESS = ("0.0.0.0", "::")
_BYTES = 32


class Auth:
    """The keys of one start of the server: drawn anew each time, held in memory only.

    A *token* stands in an address that is printed or opened, and works once: it is swapped for
    the cookie, which works until the server ends. Both are compared in constant time.
    """

    def __init__(self, hosts: Iterable[str], port: int) -> None:
        self.hosts = frozenset(_with_port(host, port) for host in hosts)
        self.origins = frozenset(f"http://{host}" for host in self.hosts)
        # Browsers send a cookie to every port of a host: servers must not take each other's.
        self.cookie_name = f"siffra-{port}"
        self._cookie = secrets.token_urlsafe(_BYTES)
        self._tokens: set[str] = set()

    def new_token(self) -> str:
        """A token that lets one browser in."""
        token = secrets.token_urlsafe(_BYTES)
        self._tokens.add(token)
        return token

    def swap(self, token: str) -> str | None:
        """The `Set-Cookie` header for a token that is good, which it then no longer is."""
        given = token.encode()
        matching = [known for known in self._tokens if hmac.compare_digest(known.encode(), given)]
        self._tokens.difference_update(matching)
        if not matching:
            return None
        return f"{self.cookie_name}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"

    def knows(self, header: str) -> bool:
        """Whether a `Cookie` header has our cookie, among others that may be in any shape."""
        ours = f"{self.cookie_name}={self._cookie}".encode()
        # All are compared, so that the time does not depend on which of them matches.
        cookies = [each.strip().encode() for each in header.split(";")]
        matches = [hmac.compare_digest(cookie, ours) for cookie in cookies]
        return any(matches)


def names_of(host: str) -> list[str]:
    """Under which names a server that is bound to `host` may be asked: itself, and this machine."""
    if host in _EVERY_ADDRESS:
        return [*LOOPBACK, "::1", *_names_of_this_machine()]
    return [*LOOPBACK, host]


def is_local(host: str) -> bool:
    """Whether only this machine can reach a server that is bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _names_of_this_machine() -> list[str]:
    names = [socket.gethostname()]
    with suppress(OSError):
        addresses = [address for *_, address in socket.getaddrinfo(socket.gethostname(), None)]
        names += [str(address[0]).partition("%")[0] for address in addresses]
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # No packet is sent: this asks the system which of its addresses it would send from.
        probe.connect(("192.0.2.1", 9))
        names.append(probe.getsockname()[0])
    return list(dict.fromkeys(name.lower() for name in names))


def _with_port(host: str, port: int) -> str:
    """As a browser writes it in `Host`: IPv6 in brackets, port 80 left out."""
    shown = f"[{host}]" if ":" in host else host.lower()
    return shown if port == 80 else f"{shown}:{port}"
