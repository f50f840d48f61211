"""A request -> the pictures in it. Bounded before it is read, and never on disk."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from unmask.serve.problem import Problem

if TYPE_CHECKING:
    from unmask.serve.settings import Settings

# Form fields besides the pictures (token, number, sample), with room to spare.
OTHER_PARTS = 10
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture as it arrived.

    Attributes:
        name: What the client calls it, for showing only; None for a raw body.
        data: The file.
    """

    name: str | None
    data: bytes


class MemoryRequest(Request):
    """A request whose files stay in memory: Werkzeug would put everything over 500 kB into a temporary file."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()


def uploads(request: Request, settings: Settings) -> list[Upload]:
    """The pictures of a request.

    Args:
        request: With a multipart form, or a picture as its body.
        settings: For the limits.

    Raises:
        Problem: If there is none, or too many, or if the request is of another type.
    """
    kind = (request.mimetype or "").lower()
    if kind == "multipart/form-data":
        found = _files(request, settings)
    elif kind in ("", "application/octet-stream") or kind.startswith("image/"):
        data = request.get_data(cache=False)
        found = [Upload(None, data)] if data else []
    else:
        raise Problem("wrong-type", "The content type of the request is no picture and no multipart form.")
    if not found:
        raise Problem("no-picture", "There is no picture in the request.")
    if len(found) > settings.max_pictures:
        raise Problem(
            "too-many-pictures", f"There are {len(found)} pictures in the request, at most {settings.max_pictures} go."
        )
    return found


def _files(request: Request, settings: Settings) -> list[Upload]:
    try:
        files = [file for _, file in request.files.items(multi=True)]
    except RequestEntityTooLarge:
        raise Problem(
            "too-many-pictures",
            f"The form has too many parts, at most {settings.max_pictures} pictures go.",
        ) from None
    taken = [Upload(shown_name(file.filename), file.stream.read()) for file in files]
    # A browser sends an empty file where none was chosen.
    return [upload for upload in taken if upload.data or upload.name]


def shown_name(name: str | None) -> str | None:
    """A file's name without folders and without letters that could break a line or hide what follows."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in last)
    return clean[:MAX_NAME] or None
