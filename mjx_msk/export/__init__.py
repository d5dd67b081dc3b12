"""Writers of other programs' formats."""
