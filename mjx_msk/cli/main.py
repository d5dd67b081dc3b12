"""``mjx-msk``: arguments, progress and messages; nothing is computed here."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from mjx_msk.cli.data import Data
from mjx_msk.cli.estimate import Demo, Estimate
from mjx_msk.cli.evaluate import Evaluate
from mjx_msk.cli.export import Export, Import
from mjx_msk.cli.models import Bones, Compile, Scale
from mjx_msk.cli.plugins import plugin_commands
from mjx_msk.cli.render import Render
from mjx_msk.cli.stopping import stoppable
from mjx_msk.cli.terminal import BAD_INPUT, STOPPED, Terminal
from mjx_msk.cli.train import Train
from mjx_msk.errors import MskError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 2 after bad input, with 130 after Ctrl-C."""
    commands: Any = (
        Annotated[Estimate, tyro.conf.subcommand("estimate")]
        | Annotated[Demo, tyro.conf.subcommand("demo")]
        | Annotated[Render, tyro.conf.subcommand("render")]
        | Annotated[Compile, tyro.conf.subcommand("compile")]
        | Annotated[Bones, tyro.conf.subcommand("bones")]
        | Annotated[Scale, tyro.conf.subcommand("scale")]
        | Annotated[Export, tyro.conf.subcommand("export")]
        | Annotated[Import, tyro.conf.subcommand("import")]
        | Annotated[Data, tyro.conf.subcommand("data")]
        | Annotated[Train, tyro.conf.subcommand("train")]
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    )
    for name, plugin in plugin_commands().items():
        commands = commands | Annotated[plugin, tyro.conf.subcommand(name)]
    terminal = Terminal()
    try:
        command = tyro.cli(
            commands,
            prog="mjx-msk",
            description="One camera in; motion, moments and ground forces out.",
            args=arguments,
            config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
        )
        with stoppable() as terminal.check:
            code = command.run(terminal)
    except MskError as error:
        terminal.error(error)
        code = BAD_INPUT
    except KeyboardInterrupt:
        terminal.error("stopped; nothing half-written was left.")
        code = STOPPED
    sys.exit(code)
