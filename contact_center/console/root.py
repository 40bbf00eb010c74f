"""The root command: global options, and every error as one line with its exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import typer
from sqlalchemy.exc import DBAPIError
from typer.core import TyperGroup

from contact_center.console.context import Console, Hooks
from contact_center.errors import CallwrightError, UsageError

_DEBUG = "CALLWRIGHT_DEBUG"
_INTERRUPTED = 130

HELP = """Callwright: the contact centre for Asterisk.

Exit codes: 0 done, 1 it failed, 2 wrong usage or bad input, 3 no such thing,
4 cannot reach the database, Asterisk or a running serve.
"""


class RootGroup(TyperGroup):
    """Takes ``--json`` and ``--config`` wherever they stand, and turns every error into one line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and leave with its exit code."""
        name, given = prog_name or "callwright", sys.argv[1:] if args is None else list(args)

        def work() -> Any:
            words = global_options_first(given)
            return super(RootGroup, self).main(words, name, complete_var, False, **extra)

        sys.exit(_guarded(work))


def global_options_first(args: list[str]) -> list[str]:
    """``call show ID --json`` as ``--json call show ID``; what stands after ``--`` is left alone.

    Raises UsageError on ``--config`` without a file.
    """
    end = args.index("--") if "--" in args else len(args)
    front: list[str] = []
    rest: list[str] = []
    position = 0
    while position < end:
        word = args[position]
        if word == "--json" or word.startswith("--config="):
            front.append(word)
        elif word == "--config" and position + 1 == end:
            raise UsageError("--config needs a file; write it as --config callwright.toml.")
        elif word == "--config":
            front += args[position : position + 2]
            position += 1
        else:
            rest.append(word)
        position += 1
    return front + rest + args[end:]


def _guarded(work: Callable[[], Any]) -> int:
    """Run ``work``; the exit code, after at most one line on stderr."""
    try:
        result = work()
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except (typer.Abort, KeyboardInterrupt):
        return _complain("Interrupted.", _INTERRUPTED)
    except typer.TyperException as error:
        return _complain(
            _one_line(error.format_message().replace("Value error, ", "")) or "wrong usage",
            error.exit_code,
            _hint(error),
        )
    except CallwrightError as error:
        return _complain(_one_line(str(error)), error.exit_code)
    except Exception as error:
        return _unexpected(error, _sentence(error))
    return result if isinstance(result, int) else 0


def _sentence(error: Exception) -> str:
    """What nobody foresaw, in words."""
    if isinstance(error, DBAPIError):
        return f"the database refused: {error.orig}"
    if isinstance(error, MemoryError):
        return "memory is used up"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return f"unexpected {type(error).__name__}: {error}"


def _complain(sentence: str, exit_code: int, hint: str = "") -> int:
    with suppress(BrokenPipeError):
        print(f"callwright: {sentence}{hint}", file=sys.stderr, flush=True)
    return exit_code


def _unexpected(error: BaseException, sentence: str) -> int:
    """One line, and the details in a file when they are asked for."""
    if not os.environ.get(_DEBUG):
        return _complain(_one_line(sentence)[:300], 1, f" (set {_DEBUG}=1 for the details)")
    handle, name = tempfile.mkstemp(prefix="callwright-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return _complain(_one_line(sentence)[:300], 1, f" (details are in {name})")


def _hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f" (see `{context.command_path} --help`)" if context is not None else ""


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _silence_stdout() -> None:
    """The reader left; what is still buffered must not raise again when Python ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):
        os.dup2(null, sys.stdout.fileno())
    os.close(null)


def make_app(hooks: Hooks | None = None) -> typer.Typer:
    """The root app; sub-apps are mounted on it by the composition root."""
    app = typer.Typer(
        name="callwright",
        cls=RootGroup,
        help=HELP,
        no_args_is_help=False,
        add_completion=False,
        pretty_exceptions_enable=False,
        epilog="Example: callwright --config callwright.toml agent list",
    )

    @app.callback(invoke_without_command=True)
    def root(
        ctx: typer.Context,
        config: Path | None = typer.Option(
            None, "--config", metavar="FILE", help="The settings, instead of ./callwright.toml."
        ),
        json: bool = typer.Option(False, "--json", help="Exactly one JSON document on stdout."),
        version: bool = typer.Option(False, "--version", help="Say which version this is."),
    ) -> None:
        console = ctx.obj = Console(hooks=hooks or Hooks(), settings_path=config, json=json)
        ctx.call_on_close(console.close)
        if version:
            installed = metadata.version("callwright")
            console.done(f"callwright {installed}", {"version": installed})
            raise typer.Exit
        if ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())

    return app


def run(app: typer.Typer) -> NoReturn:
    """The console script's ``main``."""
    app(prog_name="callwright")
    raise SystemExit(0)
