"""``report.html``: one page that opens anywhere, offline, with everything it needs inside."""

import base64
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from mjx_msk.files import replacing
from mjx_msk.motion import Motion
from mjx_msk.report import panels, style
from mjx_msk.report.quality import MEASURES, walking


def write_report(
    motion: Motion,
    out_html: str | os.PathLike[str],
    overlay_video: str | os.PathLike[str] | None = None,
    *,
    note: str | None = None,
) -> None:
    """Write the page: what was found, warnings, the replay, plots, quality and provenance.

    ``overlay_video`` is the ``replay.mp4`` to embed; without it ``note`` says why there is none.
    Every text is escaped, and the page forbids itself to load anything. Raises ``MskError`` when
    the file cannot be written.
    """
    video = Path(overlay_video).read_bytes() if overlay_video else None
    page = render_page(
        "report.html.j2",
        title=motion.subject.get("name")
        or Path(str(motion.provenance.get("input", "Motion"))).name,
        facts=facts(motion),
        warnings=[str(w) for w in motion.quality.get("warnings", ())],
        quality=quality_rows(motion),
        video=base64.b64encode(video).decode() if video else None,
        filmed=motion.landmark_pixels is not None,
        active=motion.activation is not None,
        note=note,
        fixed=panels.fixed(motion),
        std=motion.q_std is not None,
        provenance=_provenance(motion),
        style=style,
        data=page_data(motion),
    )
    with replacing(out_html) as temporary:
        temporary.write_text(page, encoding="utf-8")


def render_page(template: str, **values: Any) -> str:
    """Return a page of the template's name, with plotly as ``plotly``; other texts are escaped."""
    from jinja2 import Environment
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    # A file name can hold anything: the template escapes every text that is put into it.
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    text = files("mjx_msk.report").joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(**values, plotly=Markup(get_plotlyjs()))


def facts(motion: Motion) -> list[tuple[str, str]]:
    """Return the headline: (what, value) pairs, as far as they are known."""
    subject = motion.subject
    duration = float(motion.time[-1] - motion.time[0])
    person = [f"{subject[k]:.{d}f} {unit}" for k, d, unit in
              (("height_m", 2, "m"), ("mass_kg", 1, "kg")) if subject.get(k)]  # fmt: skip
    found = [
        ("Person", ", ".join(person)),
        ("Duration", f"{duration:.2f} s"),
        ("Frames", f"{len(motion)} at {motion.rate_hz:.4g} Hz"),
        ("Walking", walking(motion)),
    ]
    return [(what, value) for what, value in found if value]


def quality_rows(motion: Motion) -> list[dict[str, str]]:
    """Return the table of quality figures, those that are unknown left out."""
    return [
        {
            "label": m.label,
            "value": f"{m.value(motion):.3g} {m.unit}",
            "verdict": m.verdict(motion),
            "meaning": m.meaning,
            "good": f"{m.good:g}",
            "poor": f"{m.poor:g}",
        }
        for m in MEASURES
        if m.value(motion) is not None
    ]


def page_data(motion: Motion) -> dict[str, Any]:
    """Return what the page's script plots."""
    return {
        "time": panels.numbers(motion.time - motion.time[0], 5),
        "mass": motion.subject.get("mass_kg"),
        "sections": panels.panels(motion),
        "stance": panels.stance(motion),
        "path": panels.pressure_path(motion),
        "colours": style.SIDE_COLOURS | {"": style.MIDDLE},
        "words": style.SIDE_WORDS,
    }


def _provenance(motion: Motion) -> list[tuple[str, str]]:
    return [
        (key, value if isinstance(value, str) else json.dumps(value))
        for key, value in motion.provenance.items()
    ]
