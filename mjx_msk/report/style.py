"""Colours and words that the replay video and the report page share.

The colours stay apart for colour-blind eyes (Okabe and Ito 2008): blue is right, orange is left.
"""

RIGHT, LEFT, MIDDLE = "#0072B2", "#D55E00", "#5B6470"
SIDE_COLOURS = {"r": RIGHT, "l": LEFT}
SIDE_WORDS = {"r": "right", "l": "left"}

#: Confidence 0, 0.5 and 1.
CONFIDENCE_COLOURS = ("#D7263D", "#F5C518", "#2BB673")


def rgb(colour: str) -> tuple[int, int, int]:
    """Return ``#RRGGBB`` as three numbers 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def confidence_rgb(confidence: float) -> tuple[int, int, int]:
    """Return the colour of a confidence 0..1, mixed between red, yellow and green."""
    place = min(max(confidence, 0.0), 1.0) * 2
    low = min(int(place), 1)
    a, b = rgb(CONFIDENCE_COLOURS[low]), rgb(CONFIDENCE_COLOURS[low + 1])
    mixed = [round(x + (y - x) * (place - low)) for x, y in zip(a, b, strict=True)]
    return mixed[0], mixed[1], mixed[2]
