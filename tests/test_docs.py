"""The pages of the site: each is in the index, and the reference names all that is public."""

import re
from pathlib import Path

import pytest

import mjx_msk
from mjx_msk import physics

DOCS = Path(__file__).parents[1] / "docs"
API = {"mjx_msk": mjx_msk.__all__, "physics": [n for n in dir(physics) if not n.startswith("_")]}


def test_every_page_is_in_the_index():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {
        p.relative_to(DOCS).as_posix() for ext in ("md", "rst") for p in DOCS.rglob(f"*.{ext}")
    }
    assert set(re.findall(r"^\| \[.+?\]\((.+?)\)", text, re.M)) == pages - {"index.md"}


@pytest.mark.parametrize("room", API)
def test_the_reference_names_everything_public(room):
    text = (DOCS / "api" / f"{room}.rst").read_text(encoding="utf-8")
    named = re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.M)
    assert len(named) == len(set(named))
    modules = {path.stem for path in Path(physics.__file__).parent.glob("*.py")}
    assert set(named) - modules == set(API[room]) - modules - {"__version__"}
