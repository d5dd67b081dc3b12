"""Commands that plugins bring: classes behind the entry points ``mjx_msk.commands``."""

from importlib.metadata import entry_points

GROUP = "mjx_msk.commands"


def plugin_commands() -> dict[str, type]:
    """Return the commands of the installed plugins by name.

    Each is a dataclass as ``tyro`` reads it, with ``run(terminal) -> int`` like our own; its module
    imports its host in ``run`` only, because every command line loads it.
    """
    return {point.name: point.load() for point in sorted(entry_points(group=GROUP))}
