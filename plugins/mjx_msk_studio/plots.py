"""Curves over time in a window of Studio."""

from mjx_msk_studio.curves import Panel
from mjx_msk_studio.host import imgui, implot

_LOWEST, _GAP = 130.0, 4.0  # px
_CURSOR = imgui.Vec4(0.85, 0.2, 0.2, 1.0)


class Plots:
    """Draws panels, lets the user choose their curves, and a click in one go to its time."""

    def __init__(self, panels: list[Panel]) -> None:
        self.panels = panels
        self.shown = [list(panel.first) for panel in panels]

    def draw(self, time: float) -> float | None:
        """Draw all panels; return the time that the user points at, s from the start."""
        wanted = None
        share = imgui.GetContentRegionAvail().y / len(self.panels)
        height = max(share - imgui.GetFrameHeightWithSpacing() - _GAP, _LOWEST)
        for panel, shown in zip(self.panels, self.shown, strict=True):
            self._choose(panel, shown)
            size = imgui.Vec2(imgui.GetContentRegionAvail().x, height)
            flags = implot.Flags.NoTitle.value | implot.Flags.NoMenus.value
            if not shown or not implot.BeginPlot(f"##{panel.title}", size, flags=flags):
                continue
            self._curves(panel, shown, time)
            if implot.IsPlotHovered() and imgui.IsMouseDown(imgui.MouseButton.Left):
                wanted = float(implot.GetPlotMousePos().x)
            implot.EndPlot()
        return wanted

    def _choose(self, panel: Panel, shown: list[str]) -> None:
        unit = f" [{panel.unit}]" if panel.unit else ""
        if imgui.BeginCombo(f"##choose {panel.title}", f"{panel.title}{unit}: {len(shown)} shown"):
            for name in panel.names:
                if imgui.Selectable(
                    name, name in shown, int(imgui.SelectableFlags.DontClosePopups)
                ):
                    (shown.remove if name in shown else shown.append)(name)
            imgui.EndCombo()

    def _curves(self, panel: Panel, shown: list[str], time: float) -> None:
        outside = implot.LegendFlags.Outside.value | implot.LegendFlags.Horizontal.value
        implot.SetupLegend(implot.Location.North.value, outside)
        low, high = panel.limits(shown)
        always, fixed = implot.Cond.Always, implot.AxisFlags.Lock.value
        implot.SetupAxis(implot.Axis.X1, "", fixed)
        implot.SetupAxis(implot.Axis.Y1, "", fixed)
        implot.SetupAxisLimits(implot.Axis.X1, panel.time[0], max(panel.time[-1], 1e-3), always)
        implot.SetupAxisLimits(implot.Axis.Y1, low, high, always)
        for name in shown:
            implot.PlotLine(name, panel.time, panel.curve(name))
        implot.DragLineX(0, time, _CURSOR, 1.5, implot.DragToolFlags.NoInputs.value)
