"""The command line."""

from mjx_msk.cli.main import main as main
