"""Tokens: one given when the server starts, and named ones, of which a file keeps the SHA-256 alone.

A token that is made here is 256 bits of chance, which nobody finds by trying, so that one round of SHA-256 keeps it as well as a
slow hash would.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from unmask.errors import UnmaskError
from unmask.image.file import read_file

if TYPE_CHECKING:
    from pathlib import Path

# A page's form or an Authorization header carries these as they are, and nothing else surely.
_GOOD_TOKEN = re.compile(r"[!-~]+\Z")
_GOOD_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}\Z")
_LINE = re.compile(r"(\S+) ([0-9a-f]{64})\Z")
_WRITTEN_BY = "Give a file that was written by: unmask token NAME --file FILE"
MIN_TOKEN = 16
MOST_BYTES = 1_000_000


def digest(token: str) -> str:
    """What is kept of a token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def checked_token(token: str | None) -> str | None:
    """The token to ask for, from what whoever starts the server gave.

    Args:
        token: Spaces around it are left out, as they are from what a client shows; None for no token.

    Raises:
        UnmaskError: If no client could show it, or anyone could guess it.
    """
    if token is None:
        return None
    token = token.strip()
    if len(token) < MIN_TOKEN:
        fault = f"{len(token)} letters, at least {MIN_TOKEN} are needed"
    elif not _GOOD_TOKEN.match(token):
        fault = "letters that not every client can send: spaces, or other than ASCII"
    else:
        return token
    raise UnmaskError(f"the token has {fault}", hint="Make one with: unmask token NAME", code="bad-token")


def make_token(name: str, file: Path) -> str:
    """Makes a token for somebody, and adds its name and SHA-256 to a file that only its owner can read.

    Args:
        name: Whose it is: up to 64 letters, digits and ``. _ @ -``.
        file: Made if it is not there.

    Returns:
        The token, which is kept nowhere.

    Raises:
        UnmaskError: ``bad-token-name``, or the file is none of tokens or cannot be written.
    """
    if not _GOOD_NAME.match(name):
        hint = "Use up to 64 letters, digits and . _ @ - without spaces."
        raise UnmaskError(f"{name!r} is no name for a token", hint=hint, code="bad-token-name")
    if file.exists() and name in read_tokens(file).values():
        hint = "Take another name; or delete its line there first, so that the old one ends."
        raise UnmaskError(f"{file} has a token for {name} already", hint=hint, code="bad-token-name")
    token = secrets.token_urlsafe(32)
    file.touch(mode=0o600)
    # An editor may have left the last line without its end.
    begin = "" if file.read_bytes()[-1:] in (b"", b"\n") else "\n"
    with file.open("a", encoding="ascii") as stream:
        stream.write(f"{begin}{name} {digest(token)}\n")
    return token


def read_tokens(file: Path) -> dict[str, str]:
    """The names of the tokens in a file, by SHA-256.

    Args:
        file: As `make_token` writes it. Empty lines and those that begin with # are left out.

    Raises:
        UnmaskError: ``bad-token-file``, or it cannot be read.
    """
    names = {}
    try:
        lines = read_file(file, MOST_BYTES).decode("utf-8-sig", "replace").splitlines()
    except UnmaskError as error:
        raise UnmaskError(error.message, hint=_WRITTEN_BY, code="bad-token-file") from None
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.match(line)
        if found is None:
            message = f"{file} is no file of tokens: line {number} is not a name and a SHA-256"
            raise UnmaskError(message, hint=_WRITTEN_BY, code="bad-token-file")
        names[found[2]] = found[1]
    return names
