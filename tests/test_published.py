"""What a published model's coordinates mean on the default one."""

import pytest

from mjx_msk.errors import MskError
from mjx_msk.train.published import Published

pytest.importorskip("opensim")


def test_older_models_bend_their_knees_the_other_way(shared_data):
    found = Published(shared_data / "models/gait2354_simbody.osim")
    backwards = {name for name, sign in found.signs.items() if sign < 0}
    assert backwards == {f"{n}_angle_{s}" for n in ("knee", "mtp") for s in "rl"}
    with pytest.raises(MskError, match="cannot be a whole person: it lacks pelvis_tz"):
        Published(shared_data / "models/gait10dof18musc.osim")
