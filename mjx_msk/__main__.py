"""``python -m mjx_msk``."""

from mjx_msk.cli import main

main()
