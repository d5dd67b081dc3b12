"""One even clock for what was measured at uneven times."""

import numpy as np

#: Faster recordings are thinned out to this: human movement needs no more.
HIGHEST_RATE_HZ = 100.0


def evenly(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return even times (S,) s of at most ``HIGHEST_RATE_HZ`` and values (S, ...) at them.

    ``times`` (T,) s increase, with any steps; ``values`` (T, ...) are interpolated linearly, and
    what lies next to a NaN is NaN. The rate is the mean rate of ``times``, or a whole fraction.
    """
    if len(times) < 2:
        return times, values
    rate = (len(times) - 1) / (times[-1] - times[0])
    step = max(1.0, rate / HIGHEST_RATE_HZ)
    even = np.linspace(times[0], times[-1], max(round((len(times) - 1) / step) + 1, 2))
    before = np.clip(np.searchsorted(times, even, side="right") - 1, 0, len(times) - 2)
    share = (even - times[before]) / (times[before + 1] - times[before])
    # What falls on a sample takes it alone: 0 x NaN would be NaN.
    share = np.where(share < 1e-6, 0.0, np.where(share > 1 - 1e-6, 1.0, share))
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    a, b = values[before], values[before + 1]
    return even, np.where(share == 0, a, np.where(share == 1, b, a + share * (b - a)))
