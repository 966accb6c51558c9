"""`siffra ui`: the bench in the browser."""

from collections.abc import Callable
from typing import Annotated

import typer

from siffra.cli.options import MACHINE, StoreOption, ThreadsOption
from siffra.system.terminal import echo


def ui(
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    port: Annotated[
        int | None,
        typer.Option(
            help="The port to serve on (default 7373, or one after it that is free).",
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
            help="The address to serve on. Any but this one lets other machines in.",
            metavar="ADDRESS",
            rich_help_panel=MACHINE,
        ),
    ] = "127.0.0.1",
    threads: ThreadsOption = None,
    store: StoreOption = None,
) -> None:
    """Open the bench in the browser: ask questions, watch them being answered, play with digits.

    The page is served by this machine, to this machine. Training goes on while the page is
    closed; stop the server with Ctrl-C, and the same command goes on where it was.

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
        echo(f"siffra is at {address()}\n(The address lets one browser in. Ctrl-C ends it.)")
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
