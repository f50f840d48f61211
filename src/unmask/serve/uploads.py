"""A request -> the pictures or the clip in it. Bounded before it is read, and never on disk."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from unmask.image.file import printable_name
from unmask.serve.problem import Problem

if TYPE_CHECKING:
    from unmask.serve.settings import Settings

# Form fields besides the pictures (token, number, sample), with room to spare.
OTHER_PARTS = 10
FIELD_BYTES = 500_000
MAX_NAME = 200
TOO_LONG = f"A field of the form has more than {FIELD_BYTES // 1000} kB."


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture or clip as it arrived.

    Attributes:
        name: What the client calls it, for showing only; None for a raw body.
        data: The file.
    """

    name: str | None
    data: bytes


class MemoryRequest(Request):
    """A request whose files stay in memory: Werkzeug would put everything over 500 kB into a temporary file.

    It also tells a form of too many parts from one with a long field. Werkzeug says the same of both, so the fields of a
    multipart form are measured here; other forms, which may have any number of fields, are left to it.
    """

    def _load_form_data(self) -> None:
        is_multipart = (self.mimetype or "").lower() == "multipart/form-data"
        # None would be Flask's default.
        self.max_form_memory_size = sys.maxsize if is_multipart else FIELD_BYTES
        try:
            super()._load_form_data()
        except RequestEntityTooLarge:
            if is_multipart:
                raise Problem("too-many-pictures", "The form has too many parts.") from None
            raise Problem("too-large", TOO_LONG) from None
        if any(len(value) > FIELD_BYTES for _, value in self.form.items(multi=True)):
            raise Problem("too-large", TOO_LONG, hint="Send a picture as a file, with a file name.")

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        return io.BytesIO()


def uploads(request: Request, settings: Settings) -> list[Upload]:
    """The pictures of a request: of its multipart form, or the one that is its body.

    Raises:
        Problem: If there is none, or too many, or if the request is of another type.
    """
    found = _files(request, "picture", ("image/",))
    if not found:
        raise Problem("no-picture", "There is no picture in the request.")
    if len(found) > settings.max_pictures:
        detail = f"There are {len(found)} pictures in the request, at most {settings.max_pictures} go."
        raise Problem("too-many-pictures", detail)
    return found


def clip_upload(request: Request) -> Upload:
    """The clip of a request: of its multipart form, or its body.

    Raises:
        Problem: If there is none, or more than one, or if the request is of another type.
    """
    hint = "Use multipart/form-data, a video or image type, or application/octet-stream."
    found = _files(request, "clip", ("video/", "image/"), hint)
    if not found:
        raise Problem("no-clip", "There is no clip in the request.")
    if len(found) > 1:
        raise Problem("too-many-clips", f"There are {len(found)} files in the request.")
    return found[0]


def _files(request: Request, what: str, kinds: tuple[str, ...], hint: str | None = None) -> list[Upload]:
    """Those of a form, or the body where its type begins with one of these; else raises the problem "wrong-type"."""
    kind = (request.mimetype or "").lower()
    if kind in ("", "application/octet-stream") or kind.startswith(kinds):
        data = request.get_data(cache=False)
        return [Upload(None, data)] if data else []
    if kind != "multipart/form-data":
        detail = f"The content type of the request is no {what} and no multipart form."
        raise Problem("wrong-type", detail, hint=hint)
    files = [file for _, file in request.files.items(multi=True)]
    taken = [Upload(shown_name(file.filename), file.stream.read()) for file in files]
    # A browser sends an empty file where none was chosen.
    return [upload for upload in taken if upload.data or upload.name]


def shown_name(name: str | None) -> str | None:
    """A file's name without folders and without letters that could break a line or hide what follows."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    return printable_name(last)[:MAX_NAME] or None
