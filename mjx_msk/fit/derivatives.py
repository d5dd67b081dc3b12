"""Velocities and accelerations of sampled coordinates."""

import numpy as np
from scipy import interpolate, signal


def lowpass(values: np.ndarray, rate_hz: float, cutoff_hz: float) -> np.ndarray:
    """Return ``values`` (T, ...) after a zero-lag third-order Butterworth filter, run both ways.

    The filter of OpenSim's inverse dynamics tool; ends are padded by point reflection. Values
    sampled too slowly for the cutoff come back unchanged.
    """
    if cutoff_hz >= 0.5 * rate_hz or len(values) < 4:
        return values
    b, a = signal.butter(3, cutoff_hz, fs=rate_hz)
    pad = min(len(values) - 1, round(rate_hz))
    return signal.filtfilt(b, a, values, axis=0, padtype="odd", padlen=pad)


def derivatives(time: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first two derivatives of the quintic spline through ``values`` (T, ...).

    Fewer than six samples give a polynomial; what they cannot tell is zero.
    """
    if len(time) < 3:
        speed = np.diff(values, axis=0) / np.diff(time) if len(time) == 2 else 0.0
        return np.zeros_like(values) + speed, np.zeros_like(values)
    spline = interpolate.make_interp_spline(time, values, k=min(5, len(time) - 1))
    return spline.derivative(1)(time), spline.derivative(2)(time)


def smooth_motion(
    time: np.ndarray, values: np.ndarray, cutoff_hz: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return evenly sampled ``values`` (T, ...) low-passed, and their first two derivatives.

    As OpenSim's inverse dynamics tool makes them: half the clip is added at either end by point
    reflection, filtered, and differentiated with it, so that a spline's free ends lie outside.
    """
    found = motion_spline(time, values, cutoff_hz)
    return found(time), found.derivative(1)(time), found.derivative(2)(time)


def motion_spline(time: np.ndarray, values: np.ndarray, cutoff_hz: float) -> interpolate.BSpline:
    """Return the quintic spline behind ``smooth_motion``."""
    count = len(time) // 2
    dt = (time[-1] - time[0]) / (len(time) - 1)
    before = 2 * values[0] - values[count:0:-1]
    after = 2 * values[-1] - values[-2 : -2 - count : -1]
    padded = lowpass(np.concatenate([before, values, after]), 1.0 / dt, cutoff_hz)
    grid = time[0] + dt * np.arange(-count, len(time) + count)
    return interpolate.make_interp_spline(grid, padded, k=5)
