"""The one error that a user's input can cause."""


class MskError(Exception):
    """Bad input, said in three parts: what is wrong, where, and what to do about it.

    The command line prints it and exits with code 2; every other exception is a bug.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        place = f"{where}: " if where else ""
        advice = f" {remedy}" if remedy else ""
        super().__init__(f"{place}{what}{advice}")


def missing_extra(package: str, extra: str, purpose: str) -> MskError:
    """Return the error for an optional dependency that is not installed."""
    return MskError(
        f"{purpose} needs the package '{package}', which is not installed.",
        remedy=f"Install it with: pip install 'mjx-msk[{extra}]'",
    )
