"""Runs become tables."""

import datetime
import json

from measure import Entrant

TITLES = {
    "csv": "CSV to results",
    "parquet": "Parquet to results",
    "postgres": "Postgres to results, against copying both tables away",
    "limited": "CSV to results on one core: 2 GB against all memory",
    "latency": "A small job",
}


def read_check(text: str) -> dict:
    return json.loads(text)


def section(scenario: str, rows: int, repeats: int, entrants: list[Entrant]) -> str:
    lines = [
        f"## {TITLES.get(scenario, scenario)}: {rows:,} invoices, {rows * 95 // 100:,} payments",
        "",
        f"Medians of {repeats} runs in alternation.",
        "",
        "| | formulation | seconds | min to max | with start-up | processor s | peak MB | own MB | answer |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for entrant in entrants:
        low, high = entrant.span("seconds")
        lines.append(
            f"| {entrant.name} | {entrant.how} | **{entrant.median('seconds'):.3f}** | {low:.3f} to {high:.3f} "
            f"| {entrant.median('wall'):.3f} | {entrant.median('cpu'):.2f} | {entrant.median('peak') / 1e6:,.0f} "
            f"| {entrant.median('anonymous') / 1e6:,.0f} | {verdict(entrant.checked)} |"
        )
    lines += ["", *ratios(scenario, entrants), *inside(entrants)]
    return "\n".join(lines) + "\n"


def verdict(checked: dict) -> str:
    if not checked:
        return ""
    parts = ["exact"] if checked["exact"] else []
    for name, say in (
        ("lost", "true matches lost"),
        ("invented", "false matches"),
        ("repeated", "matches repeated"),
        ("misplaced_left", "invoices not in one place"),
        ("misplaced_right", "payments not in one place"),
    ):
        if checked[name]:
            parts.append(f"{checked[name]:,} {say}")
    if not checked["zeros_kept"]:
        parts.append("leading zeros lost")
    if checked["columns_left"] != 10 or checked["columns_right"] != 10:
        parts.append("columns missing")
    return ", ".join(parts) or "inexact"


def ratios(scenario: str, entrants: list[Entrant]) -> list[str]:
    own = [entrant for entrant in entrants if entrant.name.startswith("Kalla")]
    if scenario == "limited" and len(own) == 2:
        limited, unlimited = own
        return [
            f"2 GB takes {limited.median('seconds') / unlimited.median('seconds'):.2f} times the time of unlimited "
            f"memory (at most 2.5 wanted) and peaks at {limited.median('peak') / 1e6:,.0f} MB."
        ]
    peers = [entrant for entrant in entrants if entrant not in own]
    if len(own) != 1 or not peers:
        return []
    ours = own[0]
    if scenario == "postgres":
        return [f"{ours.median('seconds') / peers[0].median('seconds'):.2f} times psql's COPY (at most 1.5 wanted)."]
    lines = []
    exact = [entrant for entrant in peers if entrant.checked.get("exact")]
    for group, who in ((exact, "peers that are exact"), (peers, "peers, inexact ones too")):
        if not group or (group == peers and len(exact) == len(peers)):
            continue
        fastest = min(group, key=lambda entrant: entrant.median("seconds"))
        smallest = min(group, key=lambda entrant: entrant.median("peak"))
        lines.append(
            f"Against the {who}: **{ours.median('seconds') / fastest.median('seconds'):.2f}** of the time of the fastest "
            f"({fastest.name}), **{ours.median('peak') / smallest.median('peak'):.2f}** of the peak memory of the "
            f"smallest ({smallest.name})."
        )
        lines.append("")
    return lines


def inside(entrants: list[Entrant]) -> list[str]:
    """Where Kalla's own time goes, from its manifest: the medians of each stage."""
    lines = []
    for entrant in entrants:
        timings = [run.said.get("timings_ms") for run in entrant.runs]
        if not timings or not all(isinstance(one, dict) for one in timings):
            continue
        stages = {name: sorted(one.get(name, 0) for one in timings)[len(timings) // 2] for name in timings[0]}
        said = ", ".join(f"{name} {value:,.0f}" for name, value in stages.items() if isinstance(value, (int, float)))
        lines += [f"Inside {entrant.name}, milliseconds: {said}.", ""]
    return lines


def page(about: dict[str, str], sections: list[str], command: str) -> str:
    lines = [f"# Benchmark of {datetime.date.today()}", "", "```", command, "```", ""]
    lines += [f"* {name}: {value}" for name, value in about.items()]
    lines += [
        "",
        "What is measured, and how each tool does it, is in [README.md](../README.md). `seconds` is the whole process for "
        "Kalla and psql, and the work without start-up and imports for the peers; `peak` is the largest resident set, "
        "`own` the part of it that is no mapped file (sampled).",
        "",
    ]
    return "\n".join(lines) + "\n" + "\n".join(sections)
