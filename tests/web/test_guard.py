"""Nobody comes in but the user's own browser: each rule is tried with a forged request."""

import base64
import io
import pickle
import re
import socket
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image
from raw_http import Answer, Ui, exchange, go_in, start
from starlette.responses import Response

from siffra.web.guard import BODY, HEADERS
from siffra.web.static_files import FOLDER, StaticFiles

KEY, LAB = "0" * 64, "0" * 16
STYLE = next(path for path in StaticFiles(Response()).files if path.endswith("/style.css"))
READS = (
    "/",
    "/static/index.html",
    STYLE,
    "/static/none.css",
    "/api/words",
    "/api/knobs",
    "/api/jobs",
    "/api/events",
    "/api/labs",
    "/api/labs/class",
    f"/api/labs/{LAB}",
    f"/api/labs/{LAB}/report",
    "/api/runs",
    "/api/runs.csv",
    f"/api/runs/{KEY}",
    "/api/models",
    "/api/models/dense/examination",
    "/api/digits/0",
    "/nothing",
    "/favicon.ico",
)
WRITES = (
    "/api/ask",
    "/api/estimate",
    "/api/study",
    "/api/jobs/pause",
    f"/api/labs/{LAB}/start",
    f"/api/labs/{LAB}/forget",
    f"/api/runs/{KEY}/model",
    "/api/predict",
    "/api/picture",
    "/api/datasets",
    "/api/judge",
)
FOREIGN = ("evil.example", "127.0.0.1", "localhost", "127.0.0.1:1", "127.0.0.1.evil.example:{port}",
           "evil.example:{port}", "localhost.evil.example:{port}", "evil@127.0.0.1:{port}",
           "127.0.0.1:{port}@evil.example", "0x7f000001:{port}", "0.0.0.0:{port}", "[::1]:{port}",
           "127.0.0.1:{port}, evil.example", " ", "")  # fmt: skip


def refused(answer: Answer, status: int = 403) -> bool:
    """Whether it is a refusal with a fixed text and nothing else in it."""
    assert answer.status == status, answer
    assert re.fullmatch(rb'\{"error":"[a-z_]+"\}', answer.body) or b"siffra ui" in answer.body
    return True


def get(ui: Ui, path: str, *lines: str) -> Answer:
    head = "\r\n".join([f"GET {path} HTTP/1.1", *lines, f"Cookie: {ui.cookie}", "", ""])
    return exchange(ui.port, head.encode("latin-1"))


class TestHost:
    @pytest.mark.parametrize("path", READS)
    def test_a_missing_host_is_refused_on_every_path(self, ui, path):
        assert refused(get(ui, path))

    @pytest.mark.parametrize("path", READS)
    def test_a_name_that_was_rebound_to_us_is_refused_on_every_path(self, ui, path):
        assert refused(get(ui, path, f"Host: rebound.example:{ui.port}"))

    @pytest.mark.parametrize("host", FOREIGN)
    def test_only_our_own_names_with_our_port_are_let_through(self, ui, host):
        assert refused(get(ui, "/api/jobs", f"Host: {host.format(port=ui.port)}"))

    def test_two_hosts_are_refused_even_if_both_are_ours(self, ui):
        assert refused(get(ui, "/api/jobs", f"Host: {ui.host}", f"Host: {ui.host}"))

    def test_an_address_in_the_request_line_does_not_stand_in_for_the_host(self, ui):
        for there in (ui.host, "evil.example"):
            for host in (ui.host, "evil.example"):
                assert refused(get(ui, f"http://{there}/api/jobs", f"Host: {host}"), 400)

    @pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9"])
    def test_another_version_of_http_is_refused(self, ui, version):
        request = f"GET /api/jobs {version}\r\nHost: {ui.host}\r\nCookie: {ui.cookie}\r\n\r\n"
        assert refused(exchange(ui.port, request.encode()), 400)

    @pytest.mark.parametrize("path", WRITES)
    def test_writes_too_need_our_host(self, ui, path):
        assert refused(ui.ask(path, {}, Host="evil.example"))

    def test_an_old_request_without_a_host_is_refused(self, ui):
        request = f"GET /api/jobs HTTP/1.0\r\nCookie: {ui.cookie}\r\n\r\n"
        assert refused(exchange(ui.port, request.encode()))

    @pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"])
    def test_our_names_are_let_through(self, ui, host):
        assert get(ui, "/api/jobs", f"Host: {host.format(port=ui.port)}").status == 200


class TestCookie:
    @pytest.mark.parametrize("path", READS)
    def test_without_it_nothing_is_shown_not_even_whether_it_is_there(self, ui, path):
        assert refused(ui.ask(path, Cookie=None))

    @pytest.mark.parametrize("path", WRITES)
    def test_without_it_nothing_is_done(self, ui, path):
        assert refused(ui.ask(path, {}, Cookie=None))

    @pytest.mark.parametrize(
        "cookie", ["", "siffra=1", "{name}=", "{name}=x", "{half}", "x{whole}"]
    )
    def test_a_wrong_one_is_none(self, ui, cookie):
        name = ui.cookie.partition("=")[0]
        wrong = cookie.format(name=name, half=ui.cookie[:-1], whole=ui.cookie)
        assert refused(ui.ask("/api/jobs", Cookie=wrong))

    @pytest.mark.parametrize("others", ['prefs={"a": [1, 2]}', "x", "a b=c d", "siffra-1=x", "é=é"])
    def test_cookies_of_other_servers_do_not_hide_ours(self, ui, others):
        for cookie in (f"{others}; {ui.cookie}", f"{ui.cookie}; {others}"):
            assert ui.ask("/api/jobs", Cookie=cookie).status == 200

    def test_the_token_works_once_and_only_at_the_door(self, tmp_path):
        ui = start([sys.executable, "-m", "siffra"], tmp_path / "runs.sqlite", tmp_path)
        try:
            with_token = [f"/api/jobs?token={ui.token}", f"{STYLE}?token={ui.token}"]
            for path in with_token:
                assert refused(ui.ask(path, Cookie=None))

            entered = go_in(ui)

            assert entered.status == 200
            assert b"location.replace" in entered.body
            assert re.fullmatch(
                rf"siffra-{ui.port}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Strict",
                entered.headers["set-cookie"],
            )
            again = ui.ask(f"/?token={ui.token}", Cookie=None)
            assert refused(again)
            assert "set-cookie" not in again.headers
            # The browser that is in already may open the address again.
            assert ui.ask(f"/?token={ui.token}").status == 200
            assert ui.log.read_text().count(ui.token) == 1  # as it was printed, and never logged
            assert ui.cookie.partition("=")[2] not in ui.log.read_text()
        finally:
            ui.kill()

    @pytest.mark.parametrize(
        "query", ["token=", "token=x", "token=%00", "token=a&token=b", "token"]
    )
    def test_a_wrong_token_opens_nothing(self, ui, query):
        answer = ui.ask(f"/?{query}", Cookie=None)
        assert refused(answer)
        assert "set-cookie" not in answer.headers

    def test_a_token_sends_nobody_elsewhere(self, ui):
        answer = ui.ask("/?token=x&next=//evil.example&url=http://evil.example")
        assert "location" not in answer.headers
        assert b"evil" not in answer.body

    @pytest.mark.parametrize("dest", ["iframe", "image", "empty", "script", ""])
    def test_a_token_that_is_not_opened_as_a_page_is_not_used_up(self, tmp_path, dest):
        ui = start([sys.executable, "-m", "siffra"], tmp_path / "runs.sqlite", tmp_path)
        try:
            headers = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": dest, "Cookie": None}
            embedded = ui.ask(f"/?token={ui.token}", **headers)
            assert refused(embedded)
            assert "set-cookie" not in embedded.headers
            assert "set-cookie" in go_in(ui).headers
        finally:
            ui.kill()

    @pytest.mark.parametrize(
        ("wanted", "first"),
        [("sv", "sv"), ("de, SV-fi;q=0.8", "sv"), ("en-GB,sv;q=0.5", "en"), ("", "en")],
    )
    def test_the_closed_door_says_in_both_languages_how_it_opens(self, ui, wanted, first):
        answer = ui.ask("/", Cookie=None, Accept_Language=wanted)
        assert answer.status == 403
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        page = answer.body.decode()
        assert page.count("<code>?token=</code>") == 2
        assert re.findall(r'<section lang="(..)">', page)[0] == first
        assert "Ctrl-C" in page

    def test_a_refusal_that_a_person_reads_is_a_page(self, ui):
        for path, status in ((f"/api/labs/{LAB}/report", 404), ("/nothing", 404)):
            shown = ui.ask(path + "?lang=sv", Accept="text/html,*/*")
            assert shown.status == status
            assert "Hittades inte" in shown.body.decode()
        shut = ui.ask(f"/api/labs/{LAB}/report", Accept="text/html,*/*", Cookie=None)
        assert shut.status == 403
        assert b"Ctrl-C" in shut.body


class TestOrigin:
    @pytest.mark.parametrize("path", WRITES)
    @pytest.mark.parametrize("origin", [None, "null", "http://evil.example"])
    def test_writes_need_ours(self, ui, path, origin):
        assert refused(ui.ask(path, {}, Origin=origin))

    @pytest.mark.parametrize(
        "origin",
        ["http://127.0.0.1", "http://127.0.0.1:1", "https://{host}", "http://{host}.evil.example",
         "http://{host}/", "http://localhost:{port}", "http://evil.example/{host}", "{host}", ""],
    )  # fmt: skip
    def test_nearly_ours_is_not_ours(self, ui, origin):
        forged = origin.format(host=ui.host, port=ui.port)
        assert refused(ui.ask("/api/jobs/pause", {}, Origin=forged))

    def test_two_origins_are_refused(self, ui):
        assert refused(ui.ask("/api/jobs/pause", {}, origin=f"http://{ui.host}"))

    @pytest.mark.parametrize("path", READS)
    def test_reads_from_another_origin_are_refused_and_get_no_cors_header(self, ui, path):
        answer = ui.ask(path, Origin="http://127.0.0.1:1")
        assert refused(answer)
        assert not [name for name in answer.headers if name.startswith("access-control")]

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_a_page_on_another_port_cannot_even_make_us_work(self, ui, site):
        # Ports do not part sites: such a request has the cookie with it.
        for path in READS[1:]:
            assert refused(ui.ask(path, Sec_Fetch_Site=site))

    def test_no_answer_has_a_cors_header(self, ui):
        for path in READS:
            answer = ui.ask(path, whole=False, Origin=f"http://{ui.host}")
            assert not [name for name in answer.headers if name.startswith("access-control")]


class TestWhatIsSent:
    @pytest.mark.parametrize(
        "kind",
        [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
         "application/jsonp", "text/plain; application/json", "application/json; charset=utf-16",
         "application/json, text/plain"],
    )  # fmt: skip
    def test_a_body_that_a_form_could_send_is_refused(self, ui, kind):
        assert refused(ui.ask("/api/jobs/pause", {}, Content_Type=kind), 415)
        assert ui.ask("/api/jobs").json["paused"] is False

    def test_a_compressed_body_is_refused(self, ui):
        assert refused(ui.ask("/api/jobs/pause", {}, Content_Encoding="gzip"), 415)

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b'"x"', b"{}{}", b"\xff", b'{"x":1}', b"NaN"]
    )
    def test_what_is_not_the_json_object_that_is_wanted_does_nothing(self, ui, body):
        assert refused(ui.ask("/api/jobs/pause", raw=body), 400)
        assert ui.ask("/api/jobs").json["paused"] is False

    @pytest.mark.parametrize(
        "body",
        [b"[" * 60_000, b'{"a":' * 12_000, b'{"seeds":' + b"9" * 60_000 + b"}", b'{"x":"\\ud800"}',
         b'{"vary":{"neurons":[1e999,2]}}', b'{"vary":{"neurons":[-0,2]},"vary":{}}'],
    )  # fmt: skip
    def test_json_made_to_break_a_parser_breaks_nothing(self, ui, body):
        assert refused(ui.ask("/api/ask", raw=body), 400)

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
    def test_json_in_another_encoding_than_utf_8_is_refused(self, ui, encoding):
        assert refused(ui.ask("/api/jobs/pause", raw="{}".encode(encoding)), 415)
        assert ui.ask("/api/jobs").json["paused"] is False

    def test_a_body_too_large_is_refused_before_it_is_read(self, ui):
        answer = ui.ask("/api/ask", raw=b"{}", Content_Length=str(BODY + 1))
        assert refused(answer, 413)

    def test_a_body_without_a_length_is_cut_off_where_it_grows_too_large(self, ui):
        lines = [f"{name}: {value}" for name, value in ui.head().items()]
        head = "\r\n".join(["POST /api/ask HTTP/1.1", *lines, "Transfer-Encoding: chunked", "", ""])
        chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        assert refused(exchange(ui.port, head.encode() + 5 * chunk), 413)

    @pytest.mark.parametrize("length", ["-1", "1e3", "x"])
    def test_a_length_that_is_no_number_is_refused(self, ui, length):
        assert ui.ask("/api/ask", raw=b"{}", Content_Length=length).status == 400

    @pytest.mark.parametrize("path", [*READS, *WRITES])
    @pytest.mark.parametrize(
        "verb", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND"]
    )
    def test_there_are_two_verbs(self, ui, path, verb):
        answer = ui.ask(path, verb=verb, whole=False)
        assert answer.status == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]

    def test_each_path_has_one_of_them(self, ui):
        assert refused(ui.ask("/api/jobs", {}), 405)
        assert refused(ui.ask("/api/ask"), 405)
        assert refused(ui.ask("/", {}), 405)

    def test_there_is_no_websocket(self, ui):
        answer = get(
            ui,
            "/api/events",
            f"Host: {ui.host}",
            "Upgrade: websocket",
            "Connection: Upgrade, close",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Origin: http://evil.example",
        )
        assert refused(answer)


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py",
         "/static/..%252fapp.py", "/static/..%5capp.py", "/static/../../data/mnist.npz",
         "/static//etc/passwd",
         "/static/%2fetc%2fpasswd", "/static/C:%5cx", "/static/index.html%00.css", "/static/",
         "/static", "/static-evil/x", "/static/./style.css", "/static/style.css",
         "//evil.example/x", "/..",
         "/api/labs/../../x", f"/api/labs/{LAB}%2f..%2fx", "/api/labs/..%2f..%2fx/report",
         "/api/models/..%2fx/examination", "/api/models/run-..%2f/examination",
         "/api/runs/..%2f..%2fetc", "/api/digits/-1", "/api/digits/..", "/api/digits/99999999"],
    )  # fmt: skip
    def test_no_path_leads_to_a_file(self, ui, path):
        answer = ui.ask(path)
        assert answer.status in (400, 404), answer
        assert answer.body in (b'{"error":"not_found"}', b'{"error":"bad_request"}')

    def test_the_icon_that_a_browser_asks_for_by_itself_is_there(self, ui):
        icon = ui.ask("/favicon.ico")
        assert icon.status == 200
        assert icon.headers["content-type"] == "image/svg+xml"

    def test_the_static_files_are_served_by_their_own_names(self, ui):
        style = ui.ask(STYLE)
        assert style.body == (FOLDER / "style.css").read_bytes()
        assert style.headers["content-type"] == "text/css; charset=utf-8"


class TestAnswers:
    @pytest.mark.parametrize("path", READS)
    def test_every_answer_is_hardened_refusals_and_streams_included(self, ui, path):
        for changes in ({}, {"Cookie": None}, {"Host": "evil.example"}):
            headers = ui.ask(path, whole=False, **changes).headers
            told = {name: headers[name.lower()] for name in HEADERS}
            own = {"Cache-Control", "Content-Security-Policy"}
            assert {n: v for n, v in told.items() if n not in own} == {
                n: v for n, v in HEADERS.items() if n not in own
            }
            assert "'unsafe" not in told["Content-Security-Policy"]
            for rule in ("default-src '", "base-uri 'none'", "frame-ancestors 'none'"):
                assert rule in told["Content-Security-Policy"]
            assert "server" not in headers
        assert "default-src 'self'" in HEADERS["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]

    def test_nothing_of_a_request_comes_back_in_an_error(self, ui):
        evil = "<script>alert(1)</script>"
        for answer in (
            ui.ask("/api/%3Cscript%3E"),
            ui.ask("/api/ask", {"vary": {evil: [1, 2]}}),
            ui.ask("/api/ask", {"vary": {"learning_rate": [evil]}}),
            ui.ask("/api/ask", {"vary": {"learning_rate": [1, 2]}, "data": evil}),
            ui.ask("/api/ask", {"vary": {"neurons": [1, 2]}, "fixed": {"optimizer": evil}}),
            ui.ask("/api/runs?where=" + "x" * 50),
            ui.ask("/api/words?lang=" + "%3Cscript%3E"),
        ):
            assert answer.status in (400, 404)
            assert refused(answer, answer.status)

    def test_a_question_that_cannot_be_run_is_told_in_siffra_s_own_words(self, ui):
        ask = {"vary": {"kernel_size": [3, 99]}, "fixed": {"model": "conv"}}
        # While the user types, that is no failure.
        for path, status in (("/api/estimate", 200), ("/api/ask", 422)):
            answer = ui.ask(path, ask)
            assert answer.status == status
            assert answer.json["error"] == "impossible"
            assert "kernel_size: 99 is larger" in answer.json["why"]


class TestCaps:
    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"vary": {"neurons": list(range(1, 62))}}, 400),
            ({"vary": {"neurons": list(range(1, 12)), "layers": list(range(1, 8))}}, 422),
            ({"vary": {"neurons": [1, 2], "layers": [1, 2], "momentum": [0.1, 0.2]}}, 400),
            ({"vary": {"neurons": [1]}}, 422),
            ({"vary": {}}, 400),
            ({"seeds": 101}, 400),
            ({"seeds": 0}, 400),
            ({"seeds": "5"}, 400),
            ({"vary": {"neurons": list(range(1, 51))}, "seeds": 50}, 422),
            ({"fixed": {"epochs": 1001}}, 422),
            ({"fixed": {"neurons": 10**9}}, 422),
            ({"fixed": {"neurons": [4] * 65}}, 400),
            ({"fixed": {"__class__": 1}}, 400),
            ({"more": 1}, 400),
            ({"data": "data-000000000000"}, 404),
            ({"data": "../../etc/passwd"}, 400),
        ],
    )  # fmt: skip
    def test_a_question_too_large_or_none_at_all_starts_nothing(self, ui, changes, status):
        ask = {"vary": {"learning_rate": [0.1, 0.5]}} | changes
        assert ui.ask("/api/ask", ask).status == status
        assert ui.ask("/api/jobs").json["queue"] == []

    def test_the_queue_has_an_end(self, ui):
        assert ui.ask("/api/jobs/pause", {}).status == 200
        try:
            asked = [
                ui.ask("/api/ask", {"vary": {"learning_rate": [0.1, 0.2 + n]}}) for n in range(21)
            ]
            assert [answer.status for answer in asked] == [201] * 20 + [409]
            assert asked[-1].json == {"error": "queue_full"}
        finally:
            for lab in ui.ask("/api/labs").json["labs"]:
                ui.ask(f"/api/labs/{lab['id']}/cancel", {})
            ui.ask("/api/jobs/resume", {})

    @pytest.mark.parametrize(
        "where", ["1", "test>", "os.system('x')", "test>__import__", "x" * 200, "key%00=1"]
    )
    def test_a_filter_is_no_program(self, ui, where):
        assert refused(ui.ask(f"/api/runs?where={where}"), 400)


def npz(**members: bytes) -> str:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return base64.b64encode(file.getvalue()).decode()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def picture(image: Image.Image, kind: str = "PNG") -> str:
    file = io.BytesIO()
    image.save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


class TestUploads:
    def test_a_data_set_of_one_s_own_is_kept_and_can_be_asked_about(self, ui):
        rng = np.random.default_rng(0)
        y = np.arange(60) % 3
        arrays = {
            "x_train": rng.integers(0, 256, (60, 6, 6), np.uint8), "y_train": y,
            "x_test": rng.integers(0, 256, (60, 8, 8), np.uint8), "y_test": y,
        }  # fmt: skip
        body = {"name": "my shapes", "npz": npz(**{k: npy(v) for k, v in arrays.items()})}

        kept = ui.ask("/api/datasets", body)

        assert kept.status == 422  # images of two sizes
        arrays["x_train"] = rng.integers(0, 256, (60, 8, 8), np.uint8)
        body["npz"] = npz(**{k: npy(v) for k, v in arrays.items()})
        kept = ui.ask("/api/datasets", body)
        assert kept.status == 201, kept
        assert kept.json["classes"] == 3
        assert {"id": kept.json["id"], "name": "my shapes"} in ui.ask("/api/datasets").json[
            "datasets"
        ]
        ask = {"vary": {"neurons": [4, 8]}, "data": kept.json["id"]}
        assert ui.ask("/api/estimate", ask).json["runs"] == 10

    @pytest.mark.parametrize("name", ["../x", "a/b", "", "x" * 61, "<b>", "a\nb", ".hidden"])
    def test_its_name_is_plain_text_and_never_a_path(self, ui, name):
        assert refused(ui.ask("/api/datasets", {"name": name, "npz": npz()}), 400)

    def test_objects_are_never_unpickled(self, ui):
        class Evil:
            def __reduce__(self):
                return (open, ("/tmp/siffra-unpickled", "w"))

        evil = np.array([Evil()], dtype=object)
        for content in (npy(evil), pickle.dumps([1])):
            body = {"name": "evil", "npz": npz(**dict.fromkeys(
                ("x_train", "y_train", "x_test", "y_test"), content))}  # fmt: skip
            assert refused(ui.ask("/api/datasets", body), 422)

    def test_an_archive_that_unpacks_to_too_much_is_refused(self, ui):
        bomb = npz(**{f"x{i}": b"\0" * 100_000_000 for i in range(3)})
        assert len(bomb) < 500_000
        assert refused(ui.ask("/api/datasets", {"name": "bomb", "npz": bomb}), 413)
        many = npz(**{f"x{i}": b"" for i in range(100)})
        assert refused(ui.ask("/api/datasets", {"name": "many", "npz": many}), 413)

    @pytest.mark.parametrize("content", ["", "AAAA", "?", "UEsDBA=="])
    def test_what_is_no_archive_is_refused(self, ui, content):
        assert ui.ask("/api/datasets", {"name": "x", "npz": content}).status in (400, 422)

    def test_a_picture_becomes_a_digit(self, ui):
        image = Image.new("L", (100, 60), 255)
        image.paste(0, (40, 10, 50, 50))
        pixels = ui.ask("/api/picture", {"picture": picture(image)}).json["pixels"]
        grey = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(28, 28)
        assert grey[14, 14] > 200
        assert grey[0].max() == 0

    def test_a_picture_with_too_many_pixels_is_refused(self, ui):
        large = picture(Image.new("1", (20_000, 20_000)))
        assert refused(ui.ask("/api/picture", {"picture": large}), 413)

    @pytest.mark.parametrize("kind", ["GIF", "EPS", "TIFF", "PDF"])
    def test_only_png_and_jpeg_are_opened(self, ui, kind):
        assert refused(
            ui.ask("/api/picture", {"picture": picture(Image.new("RGB", (9, 9)), kind)}), 422
        )


def test_what_anybody_may_send_writes_nothing_in_the_terminal(ui):
    before = ui.log.read_text()
    for request in (b"\x16\x03\x01 hello", b"GET / HTTP/1.1\r\nHost x\r\n\r\n", b"X" * 70_000):
        exchange(ui.port, request)
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket"
    exchange(ui.port, f"GET / HTTP/1.1\r\nHost: {ui.host}\r\n{upgrade}\r\n\r\n".encode())
    ui.ask("/api/jobs", Cookie=None)
    assert ui.log.read_text() == before


def test_connections_that_say_nothing_shut_nobody_out(ui):
    silent = [socket.create_connection(("127.0.0.1", ui.port)) for _ in range(300)]
    try:
        for connection in silent[::2]:
            connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert ui.ask("/api/jobs").status == 200
    finally:
        for connection in silent:
            connection.close()


def test_nobody_else_s_address_is_listened_on(ui):
    others = {
        str(address[0])
        for *_, address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    } - {"127.0.0.1"}
    for address in others:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, ui.port), timeout=2)
