"""Recordings of people, and what training makes of them."""
