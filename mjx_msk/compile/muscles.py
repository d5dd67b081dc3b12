"""Muscles (stub)."""


def read_surfaces(opensim, model):
    return {}


def read_muscles(opensim, model, state):
    return ()


def add_muscles(spec, source):
    pass
