"""What a picture's file says of its own origin. Anyone can write it there or take it out: none of it goes into a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Says = Literal["made", "edited", "computed"]
State = Literal["valid", "invalid", "unreadable", "unchecked", "none"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a file says itself that it was made by AI. It can be forged; where there is none, that means nothing.

    Attributes:
        says: "made" by AI, "edited" with AI, or "computed" by a program that did not learn (IPTC: algorithmicMedia).
        generator: The program or its maker; None where only the fact is told.
        where: The part of the file, such as "PNG text 'parameters'", in one printable line.
        words: What stands there, one printable line of at most 80 characters.
    """

    says: Says
    generator: str | None
    where: str
    words: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What Content Credentials (C2PA) say. None of it goes into the score.

    Attributes:
        state: valid, invalid, unreadable, unchecked (the package is not installed) or none.
        message: The same as a sentence.
        signed_by: Whom the certificate names; None where it does not, or where the state is not "valid".
        made_with: The program that made the claim, in its own words.
        trusted: Whether the certificate is on a trust list; False where no list is at hand.
    """

    state: State
    message: str
    signed_by: str | None = None
    made_with: str | None = None
    trusted: bool = False
