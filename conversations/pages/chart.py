"""The usage page's bar chart as plain geometry: the template draws it, no script needed."""

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 900, 240
LEFT, TOP, BOTTOM = 44, 12, 28
STEPS = (1, 2, 5)


def daily_chart(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Bars of `calls` (with `errors` in them) for rows that have `day`, oldest first."""
    ceiling = _round_up(max([row["calls"] for row in rows] or [0]))
    plot_height = HEIGHT - TOP - BOTTOM
    slot = (WIDTH - LEFT) / max(len(rows), 1)
    every = max(1, len(rows) // 8)
    bars = [
        _bar(row, LEFT + slot * i, slot, plot_height / ceiling, labelled=i % every == 0)
        for i, row in enumerate(rows)
    ]
    lines = [_line(ceiling * part // 4, plot_height / ceiling) for part in range(5)]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "label_x": LEFT - 8,
        "axis_y": HEIGHT - 6,
        "bars": bars,
        "lines": lines,
    }


def _round_up(value: int) -> int:
    """The next 4, 8, 20, 40, 80, 200, …: four grid lines with whole numbers."""
    scale = 1
    while True:
        for step in STEPS:
            if value <= 4 * step * scale:
                return 4 * step * scale
        scale *= 10


def _bar(
    row: dict[str, Any], x: float, slot: float, unit: float, *, labelled: bool
) -> dict[str, Any]:
    width = min(slot * 0.68, 40)
    height, error_height = row["calls"] * unit, row["errors"] * unit
    floor = HEIGHT - BOTTOM
    day = row["day"]
    return {
        "x": round(x + (slot - width) / 2, 1),
        "width": round(width, 1),
        "center": round(x + slot / 2, 1),
        "y": round(floor - height, 1),
        "height": round(height, 1),
        "error_y": round(floor - error_height, 1),
        "error_height": round(error_height, 1),
        "label": f"{day.day} {day:%b}" if labelled else "",
        "title": f"{day.day} {day:%B}: {row['calls']} calls, {row['errors']} errors",
    }


def _line(value: int, unit: float) -> dict[str, Any]:
    y = round(HEIGHT - BOTTOM - value * unit, 1)
    return {"y": y, "text_y": y + 4, "label": f"{value:,}"}
