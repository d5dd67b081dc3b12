"""How good estimates are: methods side by side on people whose motion is known."""
