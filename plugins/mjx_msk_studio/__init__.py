"""Estimates in MuJoCo Studio, in a window or a browser, and in MuJoCo's plain viewer.

``mjx-msk view OUT`` opens one (``command``); ``studio.py`` is a file for Studio's own
``--plugins``. What is drawn when is computed in ``transport``, ``forward`` and ``curves``, which
know no Studio.
"""
