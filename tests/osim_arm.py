"""An OpenSim model with a bit of everything, as the text of OpenSim 4, 3 and 2 files.

An upper arm on a pin; a forearm whose joint bends, slides by a spline of the bend and lifts by a
coupled coordinate; a muscle round a cylinder; a marker and a contact sphere.
"""

_SPLINE = "<x>-1 -0.25 0.5 1.25 2</x><y>0.004 0.001 0 0.001 0.004</y>"

_BODIES = {
    "upper": ("2", "0 -0.15 0", ("0.02", "0.002", "0.02")),
    "lower": ("1", "0 -0.14 0.01", ("0.01", "0.001", "0.01")),
}

CYLINDER = """
<WrapCylinder name="elbow_cylinder">
  <xyz_body_rotation>0 0 0</xyz_body_rotation><translation>0 -0.28 0</translation>
  <quadrant>+x</quadrant><radius>0.02</radius><length>0.1</length>
</WrapCylinder>"""


def _transform(coordinates: str) -> str:
    """Return the elbow's motions; the tag of the coordinates' names is the same in all versions."""

    def axis(name: str, direction: str, coordinate: str, function: str) -> str:
        return (
            f'<TransformAxis name="{name}"><{coordinates}>{coordinate}</{coordinates}>'
            f"<axis>{direction}</axis><function>{function}</function></TransformAxis>"
        )

    linear = '<LinearFunction name="function"><coefficients>1 0</coefficients></LinearFunction>'
    zero = '<Constant name="function"><value>0</value></Constant>'
    spline = f'<SimmSpline name="function">{_SPLINE}</SimmSpline>'
    return "\n".join(
        (
            '<SpatialTransform name="spatial">',
            axis("rotation1", "0 0 1", "bend", linear),
            axis("rotation2", "0 1 0", "", zero),
            axis("rotation3", "1 0 0", "", zero),
            axis("translation1", "1 0 0", "bend", spline),
            axis("translation2", "0 1 0", "slide", linear),
            axis("translation3", "0 0 1", "", zero),
            "</SpatialTransform>",
        )
    )


def _coordinate(name: str, low: float, high: float, kind: str = "") -> str:
    return (
        f'<Coordinate name="{name}">{kind}<default_value>0</default_value>'
        f"<range>{low} {high}</range><clamped>true</clamped><locked>false</locked></Coordinate>"
    )


_COUPLER = """
<CoordinateCouplerConstraint name="coupler">
  <coupled_coordinates_function>
    <PolynomialFunction name="f"><coefficients>0.005 0.01 0</coefficients></PolynomialFunction>
  </coupled_coordinates_function>
  <independent_coordinate_names>bend</independent_coordinate_names>
  <dependent_coordinate_name>slide</dependent_coordinate_name>
</CoordinateCouplerConstraint>"""

_MUSCLE = """
<max_isometric_force>500</max_isometric_force><optimal_fiber_length>0.12</optimal_fiber_length>
<tendon_slack_length>0.15</tendon_slack_length>
<pennation_angle_at_optimal>0.1</pennation_angle_at_optimal>"""


def version_4() -> str:
    """Return the model as OpenSim 4 writes it."""

    def body(name: str, extra: str = "") -> str:
        mass, com, (xx, yy, zz) = _BODIES[name]
        return (
            f'<Body name="{name}"><WrapObjectSet name="wrapobjectset"><objects>{extra}</objects>'
            f"</WrapObjectSet><mass>{mass}</mass><mass_center>{com}</mass_center>"
            f"<inertia>{xx} {yy} {zz} 0 0 0</inertia></Body>"
        )

    def frames(parent: str, at: str, child: str) -> str:
        return f"""
        <socket_parent_frame>{parent.rpartition("/")[2]}_offset</socket_parent_frame>
        <socket_child_frame>{child}_offset</socket_child_frame>
        <frames>
          <PhysicalOffsetFrame name="{parent.rpartition("/")[2]}_offset">
            <socket_parent>{parent}</socket_parent><translation>{at}</translation>
            <orientation>0 0 0</orientation>
          </PhysicalOffsetFrame>
          <PhysicalOffsetFrame name="{child}_offset">
            <socket_parent>/bodyset/{child}</socket_parent><translation>0 0 0</translation>
            <orientation>0 0 0</orientation>
          </PhysicalOffsetFrame>
        </frames>"""

    def point(name: str, body: str, at: str) -> str:
        return (
            f'<PathPoint name="{name}"><socket_parent_frame>/bodyset/{body}</socket_parent_frame>'
            f"<location>{at}</location></PathPoint>"
        )

    return f"""<?xml version="1.0" encoding="UTF-8" ?>
<OpenSimDocument Version="40000">
<Model name="arm">
<gravity>0 -9.8066 0</gravity>
<BodySet name="bodyset"><objects>
{body("upper", CYLINDER)}
{body("lower")}
</objects></BodySet>
<JointSet name="jointset"><objects>
<PinJoint name="shoulder">{frames("/ground", "0 1 0", "upper")}
<coordinates>{_coordinate("flexion", -1, 2)}</coordinates></PinJoint>
<CustomJoint name="elbow">{frames("/bodyset/upper", "0 -0.3 0", "lower")}
<coordinates>{_coordinate("bend", -1, 2)}{_coordinate("slide", -0.1, 0.1)}</coordinates>
{_transform("coordinates")}</CustomJoint>
</objects></JointSet>
<ConstraintSet name="constraintset"><objects>{_COUPLER}</objects></ConstraintSet>
<ForceSet name="forceset"><objects>
<Thelen2003Muscle name="flexor">
<GeometryPath name="geometrypath"><PathPointSet><objects>
{point("origin", "upper", "0.03 -0.05 0")}
{point("insertion", "lower", "0.02 -0.05 0")}
</objects></PathPointSet>
<PathWrapSet><objects><PathWrap name="w"><wrap_object>elbow_cylinder</wrap_object>
</PathWrap></objects></PathWrapSet></GeometryPath>{_MUSCLE}
</Thelen2003Muscle>
</objects></ForceSet>
<MarkerSet name="markerset"><objects>
<Marker name="wrist"><socket_parent_frame>/bodyset/lower</socket_parent_frame>
<location>0 -0.3 0</location><fixed>true</fixed></Marker>
</objects></MarkerSet>
<ContactGeometrySet name="contactgeometryset"><objects>
<ContactSphere name="fist"><socket_frame>/bodyset/lower</socket_frame>
<location>0 -0.3 0</location><radius>0.03</radius></ContactSphere>
</objects></ContactGeometrySet>
</Model>
</OpenSimDocument>
"""


def before_version_4(version: int) -> str:
    """Return the model as OpenSim 2 and 3 wrote it: joints in bodies, bodies by their names."""

    def body(name: str, joint: str, extra: str = "") -> str:
        mass, com, (xx, yy, zz) = _BODIES[name]
        return f"""
        <Body name="{name}"><mass>{mass}</mass><mass_center>{com}</mass_center>
        <inertia_xx>{xx}</inertia_xx><inertia_yy>{yy}</inertia_yy><inertia_zz>{zz}</inertia_zz>
        <inertia_xy>0</inertia_xy><inertia_xz>0</inertia_xz><inertia_yz>0</inertia_yz>
        <Joint>{joint}</Joint>
        <WrapObjectSet name=""><objects>{extra}</objects></WrapObjectSet></Body>"""

    def place(parent: str, at: str) -> str:
        return f"""<parent_body>{parent}</parent_body>
        <location_in_parent>{at}</location_in_parent>
        <orientation_in_parent>0 0 0</orientation_in_parent>
        <location>0 0 0</location><orientation>0 0 0</orientation>"""

    def point(name: str, body: str, at: str) -> str:
        return f'<PathPoint name="{name}"><location>{at}</location><body>{body}</body></PathPoint>'

    def coordinate(name: str, low: float, high: float, kind: str) -> str:
        return _coordinate(name, low, high, f"<motion_type>{kind}</motion_type>")

    shoulder = f"""<PinJoint name="shoulder">{place("ground", "0 1 0")}
    <CoordinateSet name=""><objects>{coordinate("flexion", -1, 2, "rotational")}</objects>
    </CoordinateSet><reverse>false</reverse></PinJoint>"""
    elbow = f"""<CustomJoint name="elbow">{place("upper", "0 -0.3 0")}
    <CoordinateSet name=""><objects>{coordinate("bend", -1, 2, "rotational")}
    {coordinate("slide", -0.1, 0.1, "translational")}</objects></CoordinateSet>
    <reverse>false</reverse>{_transform("coordinates")}</CustomJoint>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OpenSimDocument Version="{version}">
<Model name="arm">
<gravity>0 -9.8066 0</gravity>
<BodySet name=""><objects>
<Body name="ground"><mass>0</mass><mass_center>0 0 0</mass_center><Joint/></Body>
{body("upper", shoulder, CYLINDER)}
{body("lower", elbow)}
</objects></BodySet>
<ConstraintSet name=""><objects>{_COUPLER}</objects></ConstraintSet>
<ForceSet name=""><objects>
<Thelen2003Muscle name="flexor">
<GeometryPath name=""><PathPointSet name=""><objects>
{point("origin", "upper", "0.03 -0.05 0")}
{point("insertion", "lower", "0.02 -0.05 0")}
</objects></PathPointSet>
<PathWrapSet name=""><objects><PathWrap name="w"><wrap_object>elbow_cylinder</wrap_object>
</PathWrap></objects></PathWrapSet></GeometryPath>{_MUSCLE}
</Thelen2003Muscle>
</objects></ForceSet>
<MarkerSet name=""><objects>
<Marker name="wrist"><body>lower</body><location>0 -0.3 0</location><fixed>true</fixed></Marker>
</objects></MarkerSet>
<ContactGeometrySet name=""><objects>
<ContactSphere name="fist"><body_name>lower</body_name><location>0 -0.3 0</location>
<radius>0.03</radius></ContactSphere>
</objects></ContactGeometrySet>
</Model>
</OpenSimDocument>
"""
