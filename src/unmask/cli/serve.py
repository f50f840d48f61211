"""The verbs `serve` and `token`. Parse, call the library, print."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import click

from unmask.cli.options import BUNDLE, PATH, POLICY, option_with_default
from unmask.cli.say import say
from unmask.errors import UnmaskError


def _number(_context: click.Context, _option: click.Parameter, value: float) -> float:
    if math.isnan(value):  # which is in every range
        raise click.BadParameter("nan is not a number.")
    return value


@click.command()
@option_with_default("--host", default="127.0.0.1", help="Address to listen on.")
@option_with_default(
    "--port",
    type=click.IntRange(0, 65535),
    # Not UNMASK_PORT: Kubernetes sets that itself for a service named unmask, to an address.
    envvar="UNMASK_LISTEN_PORT",
    default=8000,
    help="0: any that is free. Also UNMASK_LISTEN_PORT.",
)
@BUNDLE
@POLICY
@option_with_default(
    "--max-upload-mb", type=click.IntRange(1, 1000), default=25, help="Largest request with pictures, in megabytes."
)
@option_with_default("--max-clip-mb", type=click.IntRange(1, 500), default=100, help="Largest clip, in megabytes.")
@option_with_default(
    "--clip-minutes",
    type=click.FloatRange(0.1, 24 * 60),
    callback=_number,
    default=15.0,
    help="Forget a clip and its answer after so long.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Pictures judged at the same time. [default: cores, up to 4]"
)
@click.option("--token", envvar="UNMASK_TOKEN", help="Answer only those who show it. Better given as UNMASK_TOKEN.")
@click.option(
    "--tokens", "token_file", type=PATH, envvar="UNMASK_TOKENS", help="File of named tokens, by `unmask token`."
)
@option_with_default(
    "--rate", "pictures_a_minute", type=click.IntRange(0), default=600, help="Pictures a minute and client."
)
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    multiple=True,
    help="Address or network (10.0.0.0/8) of a reverse proxy, whose X-Forwarded-... headers are believed. May be repeated.",
)
@click.option("--prefix", default="", help="Path under which the proxy shows this server, such as /unmask.")
@click.option("--public", "is_public", is_flag=True, help="Serve other machines without a token.")
@click.option("--browser/--no-browser", default=True, help="Whether to show the page, where there is a screen.")
def serve(**options: Any) -> None:
    """Serve the web page and the API."""
    from unmask.serve.start import start

    for name in ("UNMASK_TOKEN", "UNMASK_TOKENS"):
        if os.environ.get(name) == "":  # which click takes for not set, and so for no token
            raise UnmaskError(
                f"the variable {name} is set, and empty",
                hint="Set it to what the server should ask for; or unset it.",
                code="bad-token",
            )
    own = {name: options.pop(name) for name in ("bundle", "policy", "token_file", "is_public", "browser")}
    given = {name: value for name, value in options.items() if value is not None}
    start(given, **own, say=lambda line: say(line, err=True))


@click.command()
@click.argument("name")
@option_with_default("--file", type=PATH, default=Path("unmask-tokens"), help="File of named tokens.")
def token(name: str, file: Path) -> None:
    """Make an access token for the server.

    It is shown this once; FILE keeps its SHA-256 under NAME. Then: unmask serve --host 0.0.0.0 --tokens FILE.
    Whose line is deleted there is let in no more, once the server is started again.
    """
    from unmask.serve.tokens import make_token

    made = make_token(name, file)
    click.echo(made)
    say(f"This is the token of {name}. It is shown this once; its SHA-256 is in {file}.", err=True)
