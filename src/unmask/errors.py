"""Every failure that a user can meet: what happened, to which file, and what to do about it."""

from __future__ import annotations

from functools import partial


class UnmaskError(Exception):
    """A failure with a way out.

    Args:
        message: What happened and to which file, in one sentence.
        hint: What the person can do about it, in one sentence.
        code: A short kebab-case name of the kind of failure (``not-a-picture``), stable across releases, for
            programs that read JSON, CSV or the API's problem documents.
    """

    def __init__(self, message: str, *, hint: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), hint=self.hint, code=self.code), (self.message,)
