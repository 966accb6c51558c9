"""`siffra ui`: the bench in the browser."""

from collections.abc import Callable
from typing import Annotated

import typer

from siffra.cli.options import MACHINE, StoreOption, ThreadsOption
from siffra.system.terminal import echo


def ui(
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in your browser.")
    ] = True,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port to serve on (default: 7373, or the next free port).",
            min=0,
            max=65535,
            metavar="N",
            rich_help_panel=MACHINE,
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to serve on. Any other than the default lets other machines in.",
            metavar="ADDRESS",
            rich_help_panel=MACHINE,
        ),
    ] = "127.0.0.1",
    threads: ThreadsOption = None,
    store: StoreOption = None,
) -> None:
    """Open the lab bench in the browser: ask questions, watch the answers, play with digits.

    The server listens on this machine only. Training continues while the page is closed. Stop
    the server with Ctrl-C; the same command resumes where it stopped.

    [dim]Examples[/dim]
    siffra ui
    siffra ui --no-browser --port 8000
    """
    from siffra.store.store import default_store_path
    from siffra.web.auth import is_local
    from siffra.web.server import serve

    if not is_local(host):
        echo(
            f"warning: {host} can be reached from other machines. Whoever sees the address below "
            "can use this one, and what is sent is not encrypted.",
            err=True,
        )

    def tell(address: Callable[[], str]) -> None:
        echo(f"siffra is at {address()}\n(It admits one browser. Ctrl-C stops the server.)")
        if browser:
            import webbrowser

            webbrowser.open(address())

    serve(
        store or default_store_path(),
        host=host,
        port=port,
        threads=threads,
        on_start=tell,
    )
