"""Fitting the virtual camera's noise to recordings of one motion by several cameras.

The triangulated landmarks count as the truth: what all views get wrong alike (where a detector
believes that a hip is) stays unseen. Recordings of one camera by several networks count as several
recordings, but not as several views.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.optimize import nnls

from mjx_msk.data.camera_noise import reach
from mjx_msk.data.landmark_tree import (
    COUNTERPART,
    LANDMARKS,
    NODES,
    PART_OF,
    PARTS,
    hangs_from,
    middles,
)
from mjx_msk.data.multiview import Recording
from mjx_msk.data.occlusion import cover
from mjx_msk.data.virtual_camera import expected_guess, towards

#: Visibilities are taken to lie within these: the logit of more says nothing.
_VISIBILITY = (1e-3, 0.9995)
_SIDES = 2
#: Time constants tried, s.
_TAUS_S = np.geomspace(0.03, 1.0, 60)
#: The autocorrelation is fitted up to this share of the recording's length.
_LONGEST_LAG = 0.5
#: Part of the metric guess's direction that is the ray's (the middle of what is drawn).
_OFF_AXIS = 0.5


def fit(recordings: list[Recording]) -> dict[str, Any]:
    """Return the statistics that ``camera_noise.from_dict`` reads, but for what none shows."""
    visibility = np.stack([r.visibility for r in recordings])
    truth = np.stack([r.truth for r in recordings])
    image = np.stack([r.image_errors for r in recordings])
    gain, scales, metric = _metric_errors(recordings)
    logit, cover_slope, far_slope, unexplained = _visibility(truth, visibility)
    dt = recordings[0].dt
    views = len({r.camera for r in recordings})
    return {
        "image": _field(image, visibility, dt, views),
        "across": _field(metric[..., :2], visibility, dt, views),
        "depth": _field(metric[..., 2:], visibility, dt, views),
        "visibility": _field(unexplained[..., None], np.ones_like(visibility), dt, views),
        "gain": gain,
        "log_scale_sd": float(np.log(scales).std(ddof=1)),
        "logit": logit,
        "logit_cover": cover_slope,
        "logit_far": far_slope,
        "clip_log_sd": _between_views(image, metric, visibility),
        "jitter_s": _jitter(image, truth, dt),
    }


def _image(points: np.ndarray) -> np.ndarray:
    return points[..., :2] / points[..., 2:]


def _metric_errors(
    recordings: list[Recording],
) -> tuple[dict[str, dict[str, float]], np.ndarray, np.ndarray]:
    """Return each part's length in the guess over the true one, each view's size, and errors.

    The errors (V, T, L, 3) m are those that lengths and size leave.
    """
    segment = (np.eye(len(NODES)) - hangs_from()) @ middles()
    turned = []
    for r in recordings:
        hips = r.hips
        ray = np.concatenate([_OFF_AXIS * hips[:, :2], hips[:, 2:]], axis=1)
        turn = np.asarray(towards(ray))
        turned.append(np.einsum("tlj,tij->tli", r.truth - hips[:, None], turn))
    true, guess = np.stack(turned), np.stack([r.metric for r in recordings])
    a, b = (np.einsum("nl,vtli->vtni", segment, p) for p in (true, guess))
    axes = {"across": slice(0, 2), "depth": slice(2, 3)}
    gain = {kind: _slopes(a[..., axis], b[..., axis]) for kind, axis in axes.items()}
    reaches = np.stack([reach(gain[kind]) for kind in axes])
    mean = np.array(expected_guess(reaches, true))
    sizes = (mean * guess).sum((1, 2, 3)) / (mean**2).sum((1, 2, 3))
    return gain, sizes, guess - sizes[:, None, None, None] * mean


def _slopes(true: np.ndarray, guess: np.ndarray) -> dict[str, float]:
    """Return the regression slope of each part's segments (V, T, N, k) in the guess."""
    gain = {"pelvis": 1.0}
    for p, part in enumerate(PARTS[1:], start=1):
        a, b = true[:, :, p == PART_OF], guess[:, :, p == PART_OF]
        gain[part] = float(max((a * b).sum() / (a**2).sum(), 0.0))
    return gain


def _visibility(
    truth: np.ndarray, visibility: np.ndarray
) -> tuple[dict[str, float], float, float, np.ndarray]:
    """Return logits by part, slopes by cover and by depth behind the counterpart, and the rest."""
    seen = np.clip(visibility, *_VISIBILITY)
    logit = np.log(seen / (1.0 - seen))
    hidden = np.array(cover(truth.astype(np.float32))).astype(float)
    far = truth[..., 2] - truth[..., COUNTERPART, 2]
    parts = np.eye(len(PARTS))[PART_OF[: len(LANDMARKS)]]
    parts = np.broadcast_to(parts, (*logit.shape, len(PARTS)))
    known = np.concatenate([parts, hidden[..., None], far[..., None]], axis=-1)
    solution = np.linalg.lstsq(known.reshape(-1, known.shape[-1]), logit.ravel())[0]
    by_part = dict(zip(PARTS, solution.tolist(), strict=False))
    return by_part, float(solution[-2]), float(solution[-1]), logit - known @ solution


def _own(errors: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """Return how much of its parent's error a part carries, and the nodes' own errors.

    ``errors`` (V, T, L, k); own errors are (V, T, N, k). Halves of a pair lose half of their
    variance to the middle they are taken about; it is given back.
    """
    nodes = np.einsum("nl,vtlk->vtnk", middles(), errors)
    above = np.einsum("nm,vtmk->vtnk", hangs_from(), nodes)
    carried = {"pelvis": 0.0}
    own = nodes.copy()
    for p, part in enumerate(PARTS[1:], start=1):
        of = p == PART_OF
        if part in ("hip", "shoulder"):
            share = 1.0
        else:
            power = (above[:, :, of] ** 2).sum()
            share = (nodes[:, :, of] * above[:, :, of]).sum() / power if power > 1e-12 else 0.0
        carried[part] = float(np.clip(share, 0.0, 1.0))
        own[:, :, of] = nodes[:, :, of] - carried[part] * above[:, :, of]
        if part in ("hip", "shoulder"):
            own[:, :, of] *= np.sqrt(2.0)
    return carried, own


def _field(errors: np.ndarray, visibility: np.ndarray, dt: float, views: int) -> dict[str, Any]:
    """Return a field's statistics: ``errors`` (V, T, L, k), ``visibility`` (V, T, L).

    ``views`` of the V recordings are of different cameras: only these chance parts.
    """
    carried, own = _own(errors)
    unseen = 1.0 - np.einsum("nl,vtl->vtn", middles(), visibility)
    hidden = _growth(own, unseen)
    own = own / np.exp(hidden * unseen)[..., None]
    square = np.array([(own[:, :, p == PART_OF] ** 2).mean() for p in range(len(PARTS))])
    tau, share = _shares(own / np.sqrt(np.maximum(square, 1e-12))[PART_OF][:, None], dt)
    _, frames, _, axes = errors.shape
    numbers = views * _SIDES * axes * max(1.0, 0.5 * frames * dt / tau)
    sd = _together(np.sqrt(square), numbers)
    return {
        "tau_s": tau,
        "share": dict(zip(("constant", "slow", "white"), share, strict=True)),
        "hidden": hidden,
        "sd": dict(zip(PARTS, sd, strict=True)),
        "carried": carried,
    }


def _growth(own: np.ndarray, unseen: np.ndarray) -> float:
    """Return the slope of the log error by 1 - visibility, with a level for every part."""
    level = np.eye(len(PARTS))[PART_OF]
    size = 0.5 * np.log(np.maximum((own**2).mean(axis=-1), 1e-8))
    known = np.concatenate(
        [np.broadcast_to(level, (*size.shape, len(PARTS))), unseen[..., None]], axis=-1
    )
    slope = np.linalg.lstsq(known.reshape(-1, known.shape[-1]), size.ravel())[0][-1]
    return float(max(slope, 0.0))


def _together(sd: np.ndarray, numbers: float) -> list[float]:
    """Return the parts' spreads, drawn to their mean by what chance explains (empirical Bayes).

    The log of a spread that is found from n independent numbers is known to 1 / sqrt(2 n).
    """
    some = sd > 1e-6
    log = np.log(sd[some])
    chance = 0.5 / numbers
    true = max(log.var() - chance, 0.0)
    result = np.zeros_like(sd)
    result[some] = np.exp(log.mean() + (log - log.mean()) * true / (true + chance))
    return result.tolist()


def _shares(unit: np.ndarray, dt: float) -> tuple[float, list[float]]:
    """Return the time constant, and the shares of constant, slow and white variance.

    ``unit`` (V, T, N, k) are errors over their spread. Their autocorrelation about zero is
    constant + slow exp(-lag / tau) beyond lag 0; what is missing to 1 is white.
    """
    lags = np.arange(1, int(_LONGEST_LAG * unit.shape[1]) + 1)
    seen = np.array([(unit[:, :-k] * unit[:, k:]).mean() for k in lags]) / (unit**2).mean()

    def solved(tau: float) -> tuple[np.ndarray, float]:
        return nnls(np.column_stack([np.ones(len(lags)), np.exp(-lags * dt / tau)]), seen)

    tau = min(_TAUS_S, key=lambda t: solved(t)[1])
    constant, slow = solved(tau)[0]
    white = max(1.0 - constant - slow, 0.0)
    total = constant + slow + white
    return float(tau), [constant / total, slow / total, white / total]


def _between_views(image: np.ndarray, metric: np.ndarray, visibility: np.ndarray) -> float:
    """Return the standard deviation, from view to view, of the log of the errors' size."""

    def sizes(errors: np.ndarray) -> Iterator[float]:
        _, own = _own(errors)
        unseen = 1.0 - np.einsum("nl,vtl->vtn", middles(), visibility)
        own = own / np.exp(_growth(own, unseen) * unseen)[..., None]
        own = own / np.sqrt((own**2).mean(axis=(0, 1, 3), keepdims=True) + 1e-12)
        yield from 0.5 * np.log((own**2).mean(axis=(1, 2, 3)))

    spread = [np.std(list(sizes(e)), ddof=1) for e in (image, metric[..., :2], metric[..., 2:])]
    return float(np.mean(spread))


def _jitter(image: np.ndarray, truth: np.ndarray, dt: float) -> float:
    """Return how far frames' times are off, s: what moves landmarks the more, the faster they are.

    A shift of the whole picture is taken out. Left and right tell the rest independently: of their
    second differences, which keep white noise six-fold and little else, it is what both share.
    """
    path = np.gradient(_image(truth), dt, axis=1) * truth[..., 2:]

    def late(side: str) -> np.ndarray:
        own = [i for i, name in enumerate(LANDMARKS) if name.startswith(side)]
        error, speed = (x[:, :, own] - x[:, :, own].mean(2, keepdims=True) for x in (image, path))
        return np.diff((error * speed).sum((2, 3)) / (speed**2).sum((2, 3)), 2, axis=1)

    return float(np.sqrt(max((late("left") * late("right")).mean() / 6.0, 0.0)))
