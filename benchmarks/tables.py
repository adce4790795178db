"""Results as Markdown tables: printed, and put between the markers of `docs/performance.md`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Result = dict[str, Any]
NONE = "-"


def turns_table(result: Result) -> str:
    """`result` has one entry a system, by its name."""
    rows: list[tuple[str, Any]] = [
        ("**64 conversations, each asks again when it is answered**", lambda s: ""),
        ("turns a second", lambda s: _number(s["loop"]["turns_a_second"], 1)),
        ("CPU-ms a turn, all its processes", lambda s: _number(s["loop"]["cpu_ms"]["all"], 1)),
        ("– of it web", lambda s: _number(s["loop"]["cpu_ms"].get("web"), 1)),
        ("– of it worker with beat", lambda s: _number(s["loop"]["cpu_ms"].get("worker"), 2)),
        ("CPU-ms a turn, PostgreSQL", lambda s: _number(s["loop"]["cpu_ms"]["PostgreSQL"], 1)),
        ("CPU-ms a turn, Redis", lambda s: _number(s["loop"]["cpu_ms"]["Redis"], 2)),
        ("first token, ms: median / p95", lambda s: _pair(s["loop"]["ttft_ms"])),
        ("whole reply, ms: median / p95", lambda s: _pair(s["loop"]["whole_ms"])),
        ("rows a turn", lambda s: _number(s["loop"]["rows_a_turn"], 1)),
        ("WAL a turn, kB", lambda s: _number(s["loop"]["wal_bytes_a_turn"] / 1000, 1)),
        ("– full pages in it", lambda s: _number(s["loop"]["full_pages_a_turn"], 2)),
        ("queries a turn", lambda s: _number(s["queries_a_turn"], 1)),
        ("deltas a turn", lambda s: _number(s["loop"]["deltas_a_turn"], 1)),
        ("used by others, % of the machine", lambda s: _number(s["loop"]["others_percent"], 0)),
        ("errors", lambda s: _errors(s["loop"])),
        ("**64 conversations, 40 turns a second**", lambda s: ""),
        ("first token, ms: median / p95", lambda s: _pair(s["rate"]["ttft_ms"])),
        ("whole reply, ms: median / p95", lambda s: _pair(s["rate"]["whole_ms"])),
        ("errors", lambda s: _errors(s["rate"])),
        ("**1 conversation**", lambda s: ""),
        ("first token, ms: median / p95", lambda s: _pair(s["one"]["ttft_ms"])),
        ("whole reply, ms: median / p95", lambda s: _pair(s["one"]["whole_ms"])),
        ("errors", lambda s: _errors(s["one"])),
        ("**Nobody says anything**", lambda s: ""),
        ("CPU-ms a second, all its processes", lambda s: _number(s["idle_ms_a_second"], 1)),
    ]
    body = [[title, *(value(system) for system in result.values())] for title, value in rows]
    return _table(["", *result], body)


def crowds_table(result: Result) -> str:
    streaming, opened = result["streaming"], result["open"]
    body = [
        ["turns", str(streaming["turns"]), str(opened["turns"])],
        ["turns a second", _number(streaming["turns_a_second"], 1), "40"],
        ["first token, ms: median / p95", _pair(streaming["ttft_ms"]), _pair(opened["ttft_ms"])],
        ["whole reply, ms: median / p95", _pair(streaming["whole_ms"]), _pair(opened["whole_ms"])],
        ["CPU-ms a turn", _number(streaming["cpu_ms"], 1), _number(opened["cpu_ms"], 1)],
        ["errors", _errors(streaming), _errors(opened)],
    ]
    return _table(["", "200 streaming at once", "1,000 open, 40 turns a second"], body)


def growth_table(result: Result) -> str:
    rows: list[tuple[str, Any]] = [
        ("CPU-ms a turn, all its processes", lambda p: p["cpu_ms"]),
        ("CPU-ms a turn, PostgreSQL", lambda p: p["postgres_cpu_ms"]),
        ("first token, ms: median", lambda p: p["ttft_ms"][0]),
        ("whole reply, ms: median", lambda p: p["whole_ms"][0]),
        ("WAL a turn, kB", lambda p: p["wal_bytes_a_turn"] / 1000),
    ]
    body = []
    for name, system in result.items():
        early, late, turns = system["early"], system["late"], system["turns"]
        for title, value in rows:
            ratio = f"{value(late) / value(early):.2f}" if value(early) else NONE
            figures = [_number(value(early), 1), _number(value(late), 1), ratio]
            body.append([f"{name}: {title}", *figures])
        errors = [_errors(early), _errors(late)]
        body.append([f"{name}: errors, {system['talking']} conversations at once", *errors, ""])
    return _table(["", "turns 1 to 5", f"turns {turns - 4} to {turns}", "ratio"], body)


def races_table(result: Result) -> str:
    body = [
        ["races", f"{result['races']:,}"],
        ["AI messages after takeover", str(result["ai_messages_after_takeover"])],
        ["deltas after takeover", str(result["deltas_after_takeover"])],
        ["replies cut off by the takeover", f"{result['discarded']:,}"],
        ["replies that were there before it", f"{result['answered']:,}"],
        ["seconds", _number(result["seconds"], 0)],
    ]
    return _table(["", "result"], body)


def targets_table(results: dict[str, Result]) -> str:
    """What the project set out to reach, and whether it did; only of what was measured."""
    rows = [*_turn_targets(results.get("turns")), *_other_targets(results)]
    body = [
        [title, limit, found, "yes" if reached else "**no**"]
        for title, limit, found, reached in rows
    ]
    return _table(["", "target", "measured", "reached"], body)


Target = tuple[str, str, str, bool]


def _at_most(title: str, limit: float, found: float | None, digits: int = 1) -> Target:
    reached = found is not None and found <= limit
    return title, f"≤ {limit:g}", _number(found, digits), reached


def _turn_targets(result: Result | None) -> list[Target]:
    if not result:
        return []
    ours, others = result["OpenCoach"], [name for name in result if name != "OpenCoach"]
    cpu = ours["loop"]["cpu_ms"]["all"]
    limits = {"floor": 2.5, "langgraph": 0.4}
    compared = [
        _at_most(
            f"CPU a turn at 64 conversations, over {name}'s",
            limits[name],
            cpu / result[name]["loop"]["cpu_ms"]["all"],
            3,
        )
        for name in others
    ]
    loop, rate, one = ours["loop"], ours["rate"], ours["one"]
    return [
        *compared,
        _at_most("first token p95, 1 conversation, ms", 20, one["ttft_ms"][1]),
        _at_most("first token p95, 64 at 40 turns a second, ms", 60, rate["ttft_ms"][1]),
        _at_most("first token p95, 64 asking again at once, ms", 60, loop["ttft_ms"][1]),
        _at_most("rows a turn", 8, loop["rows_a_turn"]),
        _at_most("WAL a turn, kB", 6, loop["wal_bytes_a_turn"] / 1000),
    ]


def _other_targets(results: dict[str, Result]) -> list[Target]:
    rows = []
    if crowds := results.get("crowds"):
        errors = crowds["streaming"]["errors"]
        rows.append(_at_most("errors, 200 streaming at once", 0, errors, 0))
        opened = crowds["open"]
        rows.append(_at_most("first token p95, 1,000 open, ms", 100, opened["ttft_ms"][1]))
        rows.append(_at_most("errors, 1,000 open", 0, opened["errors"], 0))
    if growth := results.get("growth"):
        early, late = growth["OpenCoach"]["early"], growth["OpenCoach"]["late"]
        rows.append(
            _at_most("CPU of turn 50 over turn 1's", 1.1, late["cpu_ms"] / early["cpu_ms"], 3)
        )
    if races := results.get("races"):
        after = races["ai_messages_after_takeover"]
        rows.append(_at_most("AI messages after takeover, all races", 0, after, 0))
    return rows


TABLES = {
    "turns": turns_table,
    "crowds": crowds_table,
    "growth": growth_table,
    "races": races_table,
}


def put_between_markers(page: Path, name: str, text: str) -> None:
    """Raises ValueError if the page has no such markers."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    new, found = pattern.subn(lambda _: f"{begin}\n{text}\n{end}", page.read_text())
    if not found:
        raise ValueError(f"{page} has no markers for {name}")
    page.write_text(new)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *body])


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def _pair(values: Sequence[float | None]) -> str:
    return " / ".join(_number(value, 0) for value in values)


def _errors(part: Result) -> str:
    return f"{part['errors']:,}"
