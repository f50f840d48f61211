"""The command line: the verbs in families, and how each of them ends.

Imports of anything slow stand inside the verb that needs them: `unmask check` must answer in well under a second.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import warnings

import click

from unmask import __version__
from unmask.cli.answer import demo, diff, doctor, explain
from unmask.cli.check import check
from unmask.cli.data import audit, prepare
from unmask.cli.export import export
from unmask.cli.judge import compare, evaluate
from unmask.cli.say import EXIT_INTERRUPTED, EXIT_NO_ANSWER, EXIT_WRONG_USE, say, say_error
from unmask.cli.scan import scan, watch
from unmask.cli.serve import serve, token
from unmask.cli.train import mine, train
from unmask.errors import UnmaskError

FAMILIES = {
    "Ask about pictures": (check, explain, diff, scan, watch, serve, token),
    "Train a detector": (prepare, audit, train, mine, export),
    "Judge detectors": (evaluate, compare),
    "Try it out": (demo, doctor),
}
# What a person's choice of a folder or file leads to, wherever a verb comes upon it.
_NO_PLACE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG,
}  # fmt: skip
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class _Group(click.Group):
    """Prints an `UnmaskError` as two lines (what happened, what to do) and exits 2, never with a traceback."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except UnmaskError as error:
            failure = error
        except KeyboardInterrupt:
            say("interrupted", err=True)
            sys.exit(EXIT_INTERRUPTED)
        except ModuleNotFoundError as error:
            if (error.name or "unmask").split(".")[0] == "unmask":
                raise
            hint = "Install Unmask again, for what learns with '.[train]'; unmask doctor tells what is missing."
            failure = UnmaskError(f"the package {error.name} is not installed", hint=hint, code="no-package")
        except BrokenPipeError as error:
            # The reader (head, less) has seen enough; or Ctrl-C ended it, and this program with it.
            _drop_output()
            sys.exit(EXIT_INTERRUPTED if isinstance(error.__context__, KeyboardInterrupt) else EXIT_NO_ANSWER)
        except OSError as error:
            if error.errno in _NO_PLACE and error.filename is not None:
                hint = "Name a place that is there, and that you may write to."
                failure = UnmaskError(f"{os.fsdecode(error.filename)}: {error.strerror}", hint=hint, code="no-place")
            elif error.errno in _NO_ROOM:
                _drop_output()
                hint = "Make room on the disk, or write somewhere else; what was written is not whole."
                failure = UnmaskError(f"no room for what is written: {error.strerror}", hint=hint, code="no-room")
            else:
                raise
        say_error(failure)
        sys.exit(EXIT_WRONG_USE)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs by what they are for."""
        width = max(map(len, self.commands))
        for family, verbs in FAMILIES.items():
            with formatter.section(family):
                formatter.write_dl([(f"{verb.name:{width}}", verb.get_short_help_str(100)) for verb in verbs])


def _drop_output() -> None:
    """Python would complain again when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="unmask")
def main() -> None:
    """Tell real face pictures from deepfakes."""
    # Pillow warns about odd metadata, which is no concern of someone who asked about a face.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if sys.stdout is None:  # closed by who started this
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (for as long as the program runs)
    # Where the output cannot show a sign (a pipe on Windows, say), a question mark is better than no answer.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


for _verb in (verb for family in FAMILIES.values() for verb in family):
    main.add_command(_verb)
