"""Studio's modules, wherever this MuJoCo has them: ``mujoco.studio`` from version 4 on."""

from mjx_msk import MskError

try:
    from mujoco.studio import app, launch_native, launch_web, messages, plugin, sim
    from mujoco.studio import viewer_protocol as viewer_protocol
    from mujoco.studio.dear_imgui import dear_imgui as imgui
    from mujoco.studio.implot import implot

    App, AppConfig = app.App, app.Config
except ImportError:
    try:
        from mujoco.experimental.dear_imgui import dear_imgui as imgui
        from mujoco.experimental.implot import implot
        from mujoco.experimental.studio import (
            launch_native,
            launch_web,
            messages,
            plugin,
            sim,
            viewer_app,
            viewer_protocol,
        )
    except ImportError as error:
        raise MskError(
            f"this MuJoCo has no Studio ({error}).",
            remedy="Install mujoco 3.17 or newer, or use --viewer mujoco.",
        ) from error
    App, AppConfig = viewer_app.ViewerApp, viewer_app.ViewerAppConfig

__all__ = [
    "App", "AppConfig", "imgui", "implot", "launch_native", "launch_web", "messages", "plugin",
    "sim", "viewer_protocol",
]  # fmt: skip
