"""What the views share."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app, request

from unmask.serve.problem import Problem
from unmask.serve.tokens import digest

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from unmask.detector import Detector
    from unmask.serve.answering import Answering
    from unmask.serve.clip_jobs import ClipJobs
    from unmask.serve.metrics import Metrics
    from unmask.serve.pool import Pool
    from unmask.serve.rate_limit import RateLimit
    from unmask.serve.settings import Settings


@dataclass(slots=True)
class Services:
    """What the views use; `pictures` and `wrong_tokens` are those that a client may send and show."""

    settings: Settings
    detector: Detector
    pool: Pool
    metrics: Metrics
    pictures: RateLimit
    wrong_tokens: RateLimit
    answering: Answering
    clips: ClipJobs


def services() -> Services:
    """Those of the app that answers this request."""
    found: Services = current_app.extensions["unmask"]
    return found


def let_in(*, form: bool = False) -> None:
    """Lets this request through if it shows the token, see `check_token`."""
    check_token(services(), request, request.remote_addr or "", form=form)


def check_token(here: Services, request: Request, client: str, *, form: bool = False) -> None:
    """Lets a request through that shows one of the tokens, unless too many wrong ones came from there.

    Args:
        request: With `Authorization: Bearer TOKEN`; any, also one whose body has not arrived where no form field will do.
        form: Whether a form field will do as well: a page without script has no other way.

    Raises:
        Problem: "unauthorized", "too-many-tokens".
    """
    if not here.settings.digests:
        return
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        shown = request.form.get("token", "") if form else ""
    shown = shown.strip()
    # Nobody guesses by showing nothing.
    wait = here.wrong_tokens.wait(client) if shown else 0
    if wait:
        raise Problem("too-many-tokens", f"A token from this address is looked at in {wait} s.", retry_after=wait)
    # Each in constant time, and all of them, whichever it is: the time of a refusal tells nothing of any.
    of_shown = digest(shown)
    same = [hmac.compare_digest(of_shown, known) for known in here.settings.digests]
    if any(same):
        return
    if shown:
        here.wrong_tokens.take(client, 1)
    detail = "The token is wrong." if shown else "This server answers only with a token."
    raise Problem("unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="unmask"'})


def charge(count: int) -> None:
    """Takes the request's pictures from its client's rate limit.

    Raises:
        Problem: "too-often".
    """
    wait = services().pictures.take(request.remote_addr or "", count)
    if wait:
        raise Problem("too-often", f"This address may send more pictures in {wait} s.", retry_after=wait)
