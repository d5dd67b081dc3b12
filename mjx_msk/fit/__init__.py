"""From observations to a dynamically consistent motion."""
