"""What the verbs tell a person, without letters that steer the terminal; and with which status they end."""

from __future__ import annotations

import click

from unmask.errors import UnmaskError
from unmask.output.wording import printable

EXIT_NO_ANSWER = 1
EXIT_WRONG_USE = 2
EXIT_FAILED_ON = 3
# What a shell reports of a program that Ctrl-C ended: `unmask prepare ... && unmask train ...` must not go on.
EXIT_INTERRUPTED = 130


def say(line: str, *, err: bool = False, dim: bool = False) -> None:
    """Print a line; names of files, and what others wrote, may stand in it."""
    click.secho(printable(line), err=err, dim=dim or None)


def say_note(note: str) -> None:
    """Print, on standard error, what a person should know of their data."""
    say(f"note: {note}", err=True)


def say_error(error: UnmaskError) -> None:
    """Print what happened and what to do, on standard error; all but the first line of a message are set in."""
    first, *more = error.message.split("\n")
    for line in (f"error: {first}", *(f"  {line}" for line in more), f"hint: {error.hint}"):
        say(line, err=True)
