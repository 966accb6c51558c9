"""`siffra ui` says where it is and who can reach it, and refuses what it cannot do."""

import socket
import subprocess
import sys
import time

import pytest
from raw_http import running, start

from siffra.web.auth import Auth, is_local, names_of


def test_it_prints_an_address_and_serves_there(tmp_path):
    with running(tmp_path / "runs.sqlite", tmp_path) as ui:
        assert f"siffra is at http://127.0.0.1:{ui.port}/?token=" in ui.log.read_text()
        assert "warning" not in ui.log.read_text()
        assert ui.ask("/").status == 200


def test_a_wider_address_is_warned_of_and_still_needs_the_host_and_the_cookie(tmp_path):
    ui = start([sys.executable, "-m", "siffra"], tmp_path / "runs.sqlite", tmp_path, "0.0.0.0")
    try:
        assert ui.log.read_text().startswith("warning: 0.0.0.0 can be reached from other machines.")
        assert ui.ask("/api/jobs").status == 403
        assert ui.ask("/", Host=f"evil.example:{ui.port}").status == 403
    finally:
        ui.kill()


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("example.org", False)],
)  # fmt: skip
def test_it_knows_which_addresses_are_this_machine_s_alone(host, local):
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("host", "port", "hosts"),
    [
        ("127.0.0.1", 7373, {"127.0.0.1:7373", "localhost:7373"}),
        ("::1", 7373, {"127.0.0.1:7373", "localhost:7373", "[::1]:7373"}),
        ("192.168.1.2", 80, {"127.0.0.1", "localhost", "192.168.1.2"}),
    ],
)
def test_it_goes_by_exactly_these_names(host, port, hosts):
    assert Auth(names_of(host), port).hosts == hosts


def test_bound_to_all_addresses_it_goes_by_the_machine_s_own_names():
    assert socket.gethostname().lower() in names_of("0.0.0.0")
    assert "0.0.0.0" not in names_of("0.0.0.0")


def test_a_port_that_is_taken_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "siffra", "ui", "--no-browser", "--port", str(port),
             "--store", str(tmp_path / "runs.sqlite")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: 127.0.0.1, port {port}: cannot be listened on:")
    assert len(ended.stderr.splitlines()) == 1


def test_answers_on_one_connection_do_not_wait_for_each_other(tmp_path):
    request = "GET /api/jobs HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n"
    with (
        running(tmp_path / "runs.sqlite", tmp_path) as ui,
        socket.create_connection(("127.0.0.1", ui.port)) as connection,
    ):

        def taken() -> float:
            started = time.perf_counter()
            connection.sendall(request.format(ui.host, ui.cookie).encode())
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            return time.perf_counter() - started

        # Were small packets held back for the acknowledgement of the last one, all would take
        # 0.04 s. On a busy machine most may.
        assert any(taken() < 0.03 for _ in range(500))
