"""The same work on Ray: pieces of work go to actors with a loaded detector each, and rows come back to be written here.

Ray Data hands out the work, holds it back where rows are not fetched, and gives the piece of a lost worker to another. An
actor judges as a machine by itself does, in a process beside it, so that a file that breaks the decoder costs its own row.
"""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Any

from unmask.errors import UnmaskError
from unmask.scan.judging import Asked, Judges
from unmask.scan.rows import Row, schema
from unmask.system.cores import available_cores
from unmask.system.private import import_ray, no_proxy_of_ray, ray_to_itself
from unmask.system.python import install_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from unmask.scan.sources import Work

# Rows that a worker remembers, so that the same bytes are seldom judged twice by it.
REMEMBERED = 10_000


def rows_on_ray(work: Iterable[Work], asked: Asked, *, address: str, workers: int | None) -> Iterator[Row]:
    """A row for every picture of some work; the rows of one piece come together.

    Args:
        work: What to do; its names, not its pictures, are held in memory.
        asked: Of the detector; its bundle must lie at the same path on every machine.
        address: "local" to start Ray on this machine, or where a cluster is. A Ray that this process uses already is taken.
        workers: How many; None for one a core.

    Raises:
        UnmaskError: Ray is not installed, no cluster answers there, or the detector is unfit.
    """
    try:
        ray = import_ray()
    except ImportError:
        hint = f"Install it, {install_extra('ray')}"
        raise UnmaskError("the package ray is not installed", hint=hint, code="no-package") from None
    pieces = [{"work": pickle.dumps(piece)} for piece in work]
    if not pieces:
        return
    own = not ray.is_initialized()
    if own:
        _start(ray, address, workers)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        rows = ray.data.from_items(pieces, override_num_blocks=len(pieces)).map_batches(
            _Worker,
            fn_constructor_args=(asked,),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(count, len(pieces))),
            batch_size=1,
            batch_format="numpy",
            num_cpus=1,
        )
        for table in rows.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from table.to_pylist()
    except ray.exceptions.RayError as error:
        cause = error.__cause__
        if isinstance(cause, UnmaskError):
            raise cause from None
        what = f"the work on Ray ended: {_line(error)}"
        hint = "See Ray's own logs. The same command goes on where this one stopped."
        raise UnmaskError(what, hint=hint, code="ray-failed") from error
    finally:
        if own:
            ray.shutdown()


def _start(ray: Any, address: str, workers: int | None) -> None:
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == "local":
            with ray_to_itself():
                ray.init(address="local", num_cpus=workers or available_cores(), include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # of a dozen unrelated types, plain ones among them
        raise UnmaskError(
            f"Ray does not start or answer ({address}): {_line(error)}",
            hint="Give the address that `ray start --head` printed, or --ray local.",
            code="no-cluster",
        ) from None


class _Worker:
    """In an actor: one piece of work at a time."""

    def __init__(self, asked: Asked) -> None:
        no_proxy_of_ray()
        self._judges = Judges(asked, workers=1)
        self._known: dict[str, Row] = {}

    def __call__(self, batch: dict[str, Any]) -> Any:
        import pyarrow as pa

        rows = []
        for packed in batch["work"]:
            # Packed above, by the program that started this one, and brought by Ray: its columns hold bytes, not objects.
            piece: Work = pickle.loads(packed)
            for row in self._judges.rows(piece.items(), self._known.get):
                rows.append(row)
                if row["sha256"]:
                    self._known[row["sha256"]] = row
                    if len(self._known) > REMEMBERED:
                        del self._known[next(iter(self._known))]
        return pa.Table.from_pylist(rows, schema())


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
