"""The verb `serve`. Parse, call the library, print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from unmask.cli.options import BUNDLE, POLICY
from unmask.cli.say import say


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    # Not UNMASK_PORT: Kubernetes sets that itself for a service named unmask, to an address.
    envvar="UNMASK_LISTEN_PORT",
    default=8000,
    show_default=True,
    help="0: any that is free. Also UNMASK_LISTEN_PORT.",
)
@BUNDLE
@POLICY
@click.option(
    "--max-upload-mb",
    type=click.IntRange(1, 1000),
    default=25,
    show_default=True,
    help="Largest request with pictures, in megabytes.",
)
@click.option(
    "--max-clip-mb", type=click.IntRange(1, 500), default=100, show_default=True, help="Largest clip, in megabytes."
)
@click.option(
    "--clip-minutes",
    type=click.FloatRange(0.1),
    default=15.0,
    show_default=True,
    help="Forget a clip and its answer after so long.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Pictures judged at the same time. [default: cores, up to 4]"
)
@click.option("--token", envvar="UNMASK_TOKEN", help="Answer only those who show it. Better given as UNMASK_TOKEN.")
@click.option(
    "--rate",
    "pictures_a_minute",
    type=click.IntRange(0),
    default=600,
    show_default=True,
    help="Pictures a minute and client.",
)
@click.option("--trusted-proxy", help="Address of a reverse proxy in front, whose X-Forwarded-For is believed.")
@click.option("--open", "is_open", is_flag=True, help="Serve other machines without a token.")
def serve(bundle: Path | None, policy: str | None, is_open: bool, **settings: Any) -> None:
    """Serve the web page and the API."""
    from unmask.serve.start import start

    given = {name: value for name, value in settings.items() if value is not None}
    start(given, bundle=bundle, policy=policy, is_open=is_open, say=lambda line: say(line, err=True))
