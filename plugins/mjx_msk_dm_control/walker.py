"""The estimate's model as a ``composer.Entity``."""

import mujoco
from dm_control import composer, mjcf
from dm_control.composer.observation import observable
from mjx_msk_tracking import Actuation, Joints, tracking_spec

from mjx_msk_dm_control.xml import pymjcf_xml

CONTACT = "contact."
_TOUCH = 1.05  #: size of a touch sensor, in that of its contact sphere


class MusculoskeletalWalker(composer.Entity):
    """A subject whose joints are driven by motors, servos or muscles; nothing holds the pelvis.

    The root is six joints, not a free joint: attach the walker as it is (``arena.attach``).
    """

    def _build(
        self, spec: mujoco.MjSpec, actuation: Actuation = "torque", name: str = "walker"
    ) -> None:
        """Build from an estimate's model; ``actuation`` as in ``tracking_spec``."""
        spec = tracking_spec(spec, actuation)
        self.model = spec.compile()
        self.joints = Joints(self.model)
        self._mjcf_root = mjcf.from_xml_string(pymjcf_xml(spec))
        self._mjcf_root.model = name
        self.touch = [self._add_touch(geom) for geom in self._mjcf_root.find_all("geom")
                      if (geom.name or "").startswith(CONTACT)]  # fmt: skip
        #: every joint in the order of ``qpos``; those that move by themselves, without the root
        self.mjcf_joints = [self._find("joint", n) for n in self.joints.names]
        self.inner_joints = [self.mjcf_joints[j] for j in self.joints.inner]
        self.root_joints = [self.mjcf_joints[j] for j in self.joints.root]
        self.pelvis = self.root_joints[0].parent

    def _build_observables(self) -> "WalkerObservables":
        return MuscleObservables(self) if self.muscles else WalkerObservables(self)

    @property
    def mjcf_model(self) -> mjcf.RootElement:
        """The walker's PyMJCF model."""
        return self._mjcf_root

    @property
    def actuators(self) -> list[mjcf.Element]:
        """Every actuator, in the order of ctrl."""
        return self._mjcf_root.find_all("actuator")

    @property
    def muscles(self) -> list[mjcf.Element]:
        """The actuators that are muscles."""
        return [a for a in self.actuators if getattr(a, "tendon", None) is not None]

    def find_body(self, name: str) -> mjcf.Element:
        """Return a body by the model's name for it."""
        return self._find("body", name)

    def _find(self, kind: str, name: str) -> mjcf.Element:
        return self._mjcf_root.find(kind, name.replace("/", "."))

    def _add_touch(self, geom: mjcf.Element) -> mjcf.Element:
        """Add a sensor of the normal force on a contact sphere."""
        site = geom.parent.add(
            "site", name=f"touch.{geom.name}", type="sphere", pos=geom.pos, group=5,
            size=[_TOUCH * geom.size[0]],
        )  # fmt: skip
        return self._mjcf_root.sensor.add("touch", name=f"touch.{geom.name}", site=site)


class WalkerObservables(composer.Observables):
    """What can be seen of every walker; units are SI and radians."""

    _entity: MusculoskeletalWalker

    @composer.observable
    def joint_angles(self) -> observable.MJCFFeature:
        """Independent joints without the root, rad."""
        return observable.MJCFFeature("qpos", self._entity.inner_joints)

    @composer.observable
    def joint_velocities(self) -> observable.MJCFFeature:
        """Their speeds, rad/s."""
        return observable.MJCFFeature("qvel", self._entity.inner_joints)

    @composer.observable
    def pelvis_height(self) -> observable.Generic:
        """Height of the pelvis' origin, m."""
        return observable.Generic(lambda physics: physics.bind(self._entity.pelvis).xpos[2:])

    @composer.observable
    def pelvis_orientation(self) -> observable.MJCFFeature:
        """Rotation matrix of the pelvis (9,)."""
        return observable.MJCFFeature("xmat", self._entity.pelvis)

    @composer.observable
    def pelvis_velocities(self) -> observable.MJCFFeature:
        """Speeds of the root's six joints, m/s and rad/s."""
        return observable.MJCFFeature("qvel", self._entity.root_joints)

    @composer.observable
    def foot_contact(self) -> observable.MJCFFeature:
        """Normal force on each contact sphere, N."""
        return observable.MJCFFeature("sensordata", self._entity.touch)


class MuscleObservables(WalkerObservables):
    """What can be seen of a walker with muscles, in the order of ``walker.muscles``."""

    @composer.observable
    def muscle_lengths(self) -> observable.MJCFFeature:
        """Muscle-tendon lengths, m."""
        return observable.MJCFFeature("length", self._entity.muscles)

    @composer.observable
    def muscle_velocities(self) -> observable.MJCFFeature:
        """Muscle-tendon speeds, m/s, positive when lengthening."""
        return observable.MJCFFeature("velocity", self._entity.muscles)

    @composer.observable
    def muscle_forces(self) -> observable.MJCFFeature:
        """Forces along the tendons, N; a pull is negative, as MuJoCo has it."""
        return observable.MJCFFeature("force", self._entity.muscles)

    @composer.observable
    def muscle_activations(self) -> observable.MJCFFeature:
        """Activations, 0 to 1."""
        return observable.MJCFFeature("act", self._entity.muscles)
