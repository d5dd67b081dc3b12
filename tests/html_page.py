"""A page taken apart, for tests of what our reports hold."""

from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """Collects the tags, the visible text and the scripts of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text, self.scripts = "", []
        self._within = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._within = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._within = ""

    def handle_data(self, data):
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within != "style":
            self.text += data

    def assert_offline(self) -> None:
        """Assert that nothing is loaded from anywhere, and that the page forbids it."""
        assert not [t for t, _ in self.tags if t in ("link", "iframe", "object", "embed", "img")]
        for tag, attributes in self.tags:
            for name in ("src", "href", "srcset", "poster", "action"):
                value = attributes.get(name) or "data:"
                assert value.startswith("data:"), (tag, name, value)
        policy = next(a["content"] for t, a in self.tags if t == "meta" and "http-equiv" in a)
        assert "default-src 'none'" in policy
        assert "http" not in policy
