"""The program: imports a command when it is called, and turns errors into sentences and exit codes."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from transload.cli.forprograms import misuse, new_stream, running_stream, tell_program
from transload.errors import Interrupted, LocalError, TransloadError
from transload.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

BUG = 70
_HELP = "transload.help"
_NEW_VALUES = 10_000
"""Garbage is looked for after so many new values, not after 700: nearly all that a command makes is kept to its end."""

# Command → where it is, and its line in --help, so that help imports nothing.
_COMMANDS = {
    "mirror": ("transload.cli.mirror", "Copy images from where they are published to your registry."),
    "check": ("transload.cli.check", "Say before a long run whether it will work."),
    "plan": ("transload.cli.plan", "Say what mirror would do: steps, bytes, requests."),
    "apply": ("transload.cli.apply", "Do what a saved plan says."),
    "pack": ("transload.cli.pack", "Pack images into a bundle that crosses an air gap on a disk."),
    "push": ("transload.cli.push", "Push a bundle, a folder or an archive to a registry."),
    "load": ("transload.cli.load", "Load a bundle into docker, podman or containerd of this machine."),
    "status": ("transload.cli.status", "Show runs that go on or were stopped here, and how to go on."),
    "list": ("transload.cli.bundles", "Show what a bundle holds."),
    "extract": ("transload.cli.bundles", "Take extra files out of a bundle."),
    "repair": ("transload.cli.repair", "Make lost or damaged volumes of a bundle again."),
    "inventory": ("transload.cli.inventory", "Write down what a target holds, for differential bundles."),
    "verify": ("transload.cli.verify", "Prove that a target holds what the source publishes."),
    "report": ("transload.cli.report", "Show the report of a run again, or write it as a page."),
    "history": ("transload.cli.history", "Show the transfer records of an image at a target."),
    "configure": ("transload.cli.configure", "Write what nodes and clusters need, to pull from your registry."),
    "discover": ("transload.cli.discover", "List the images that manifests and other files name."),
    "convert": ("transload.cli.convert", "Write lists of other tools as an image set."),
    "releases": ("transload.cli.releases", "List a catalog's releases at the source, newest first."),
    "keys": ("transload.cli.keys", "Make, show and protect the keys that sign bundles."),
    "serve": ("transload.cli.serve", "Serve a store as a registry."),
    "prune": ("transload.cli.prune", "Delete old releases from a target, and what only they need."),
    "forget": ("transload.cli.forget", "Forget what was learnt about a registry, or show it."),
    "clean": ("transload.cli.clean", "Remove what ended runs left behind."),
    "demo": ("transload.cli.demo", "Show the main job on generated images, without a network."),
}


class _Commands(click.Group):
    """Finds commands without importing them, so that `--help` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        if not gc.isenabled():  # by the console script, for as long as it loads
            gc.freeze()  # no collection has to look again at what stays
            if cmd_name != "serve":  # a plan of thousands of images stays too; a server runs for months
                gc.set_threshold(_NEW_VALUES)
            gc.enable()
        command: click.Command = getattr(module, "list_" if cmd_name == "list" else cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """See click, which would import every command for its line of help."""
        from click.shell_completion import CompletionItem

        named = [
            CompletionItem(name, help=line) for name, (_, line) in _COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """See click."""
        ctx.meta[_HELP] = bool({"-h", "--help"} & set(ctx.args))
        return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        unknown = args and args[0] not in _COMMANDS and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:  # the shell completes a line: no errors here
            if args[0] == "help":
                return self._help(ctx, args[1:])
            from transload.cli.words import close_match, other_command
            from transload.oci.reference import shown

            instead = other_command(args[0]) or close_match(args[0], _COMMANDS)
            ctx.fail(f"there is no command {shown(args[0])!r}{instead}")
        return super().resolve_command(ctx, args)

    def _help(self, ctx: click.Context, words: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """`help` is `--help`, and `help mirror` is `mirror --help`."""
        if words:
            return self.resolve_command(ctx, [words[0], "--help"])
        click.echo(ctx.get_help())
        raise click.exceptions.Exit(0)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="transload %(version)s")
@click.pass_context
def transload(context: click.Context) -> None:
    """Move a vendor's release of container images into a private registry: complete, unchanged, provably so.

    \b
      transload mirror                                  asks for everything
      transload mirror arcdata --to registry.local/arcdata
      transload plan arcdata --to registry.local/arcdata
    """
    from transload.cli.defaults import defaults_from_file

    if not context.meta.get(_HELP):  # --help must work with a broken file too
        context.default_map = defaults_from_file(transload, context.invoked_subcommand)
        settings = (context.default_map or {}).get(context.invoked_subcommand or "", {})
        running_stream().default = settings.get("output")


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code. Nothing below this function ends the process."""
    words = sys.argv[1:] if arguments is None else arguments
    new_stream()
    try:
        result: Any = transload.main(args=arguments, prog_name="transload", standalone_mode=False)
    except click.ClickException as error:
        from transload.cli.console import tell_misuse

        tell_misuse(_in_our_words(error))
        tell_program(misuse(_in_our_words(error)), words)
        return error.exit_code
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\ninterrupted", err=True)
        return _for_programs(Interrupted("interrupted"), words)
    except TransloadError as error:
        if not running_stream().told:
            from transload.cli.console import tell_error

            tell_error(error)
        return _for_programs(error, words)
    except BrokenPipeError:  # the reader of our output (head, less) has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, MemoryError) as error:  # an error of the machine, wherever it was noticed
        from transload.cli.console import tell_error

        trouble = _of_this_machine(error)
        tell_error(trouble)
        return _for_programs(trouble, words)
    except Exception:  # a bug: show the traceback
        import traceback

        from transload.cli.console import say

        say(traceback.format_exc().splitlines())
        say([f"this is a bug in transload {__version__}; please report it with the lines above"])
        return BUG
    return result if isinstance(result, int) else 0


def _for_programs(error: TransloadError, words: Sequence[str]) -> int:
    """Write the error for programs too, if they read the output and have not got it yet; returns the exit code."""
    from transload.report.problem import Problem

    tell_program(Problem.of(error), words)
    return error.exit_code


def _in_our_words(error: click.ClickException) -> click.ClickException:
    """The same error; for an option of other tools, with its name here."""
    if not isinstance(error, click.NoSuchOption):
        return error
    from transload.cli.words import other_option

    name, instead = error.option_name, other_option(error.option_name)
    return error if instead is None else click.UsageError(f"there is no option {name}: {instead}", error.ctx)


def _of_this_machine(error: OSError | MemoryError) -> LocalError:
    from transload.allowance import no_memory
    from transload.files import local_error

    if isinstance(error, MemoryError):
        return no_memory()
    if error.filename is None and isinstance(error, FileNotFoundError):  # from os.getcwd()
        return LocalError("the folder that this command was called in is gone", hint="change to another folder first")
    where = None if error.filename is None else str(error.filename)
    return local_error(error, where or "the operating system says", where)


def run() -> None:
    """The console script. Ends the process at once: unloading the modules would cost every command 40 ms."""
    from transload.allowance import be_sparing
    from transload.cli.streams import prepare_streams

    be_sparing()
    try:
        prepare_streams()
        code = main()
    except KeyboardInterrupt:  # a second Ctrl-C while the first one is being reported
        code = Interrupted.exit_code
    for output in (sys.stdout, sys.stderr):
        with contextlib.suppress(
            OSError, ValueError, TransloadError, KeyboardInterrupt
        ):  # reported already, or nobody reads it
            output.flush()
    os._exit(code)
