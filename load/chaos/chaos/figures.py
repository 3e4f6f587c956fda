"""What a run came to: a row for each fault, from what clients saw and what the checker found."""

import json
from bisect import bisect_right

COLUMNS = (
    ("fault", "fault"), ("row", "row"), ("requests", "requests"), ("success", "success %"),
    ("failed", "of what"), ("p99_ms", "p99 ms"), ("worst_ms", "worst ms"),
    ("acknowledged", "acknowledged"), ("refused", "refused"), ("unknown", "unknown"),
    ("lost", "lost"), ("doubled", "doubled"), ("refused_present", "refused but present"),
    ("stale", "stale reads"), ("effects", "wrong effects"), ("recovered_s", "back s"),
    ("unsent", "unsent s"), ("orders", "orders s"), ("counts", "counts s"),
)


def of(folder, record):
    happened = json.loads((folder / "happened.json").read_text())
    verdict = read(folder / "verdict.json", {"findings": [], "laws": {}, "failed": "no verdict"})
    drained = read(folder / "drained.json", {"drained": False, "seconds": None})
    plan = json.loads((folder / "plan.json").read_text())
    windows = windows_of(happened)
    starts = [window["from"] for window in windows]
    for entry in record.sent + record.reads:
        began = entry["t"] - entry["ms"] / 1000
        if entry["t"] <= happened["ended"] + 1:
            windows[max(0, bisect_right(starts, began) - 1)]["answers"].append(entry)
    written = intents(folder)
    for op, intent in written.items():
        place = max(0, bisect_right(starts, intent["t"]) - 1)
        windows[place]["ops"].append(record.verdicts.get(op, {"verdict": "unknown"}))
    for sample in read(folder / "waits.json", []):
        windows[max(0, bisect_right(starts, sample["t"]) - 1)]["waits"].append(sample)
    unplaced = place_findings(windows, starts, verdict["findings"], written)
    rows = [row_of(window) for window in windows]
    whole = {
        "seed": plan["settings"]["seed"], "settings": plan["settings"], "began": happened["began"],
        "ended": happened["ended"], "errors": happened["errors"], "drained": drained,
        "laws": verdict["laws"], "findings": verdict["findings"][:200],
        "failed": verdict.get("failed"), "unplaced": unplaced, "rows": rows,
        "seconds": seconds_of(record, happened), "faults": happened["faults"],
        "left_out": left_out(folder),
    }
    whole["total"] = total_of(rows, windows)
    whole["clean"] = is_clean(whole)
    return whole


def read(path, otherwise):
    return json.loads(path.read_text()) if path.exists() else otherwise


def windows_of(happened):
    """From one fault to the next; before the first is a window too."""
    windows = [{"name": "(before)", "row": "", "from": happened["began"], "healing": None}]
    windows += [dict(one) for one in happened["faults"]]
    for window in windows:
        window |= {"answers": [], "ops": [], "findings": [], "waits": []}
    return windows


def intents(folder):
    with open(folder / "intents.jsonl", encoding="utf-8") as lines:
        entries = map(json.loads, lines)
        return {entry["op"]: entry for entry in entries if entry["what"] == "intent"}


def left_out(folder):
    why = {}
    with open(folder / "intents.jsonl", encoding="utf-8") as lines:
        for entry in map(json.loads, lines):
            if entry["what"] == "left out":
                why[entry["why"]] = why.get(entry["why"], 0) + 1
    return why


def place_findings(windows, starts, findings, written):
    """By the operation that a finding is about; the others belong to no fault alone."""
    unplaced = []
    for finding in findings:
        if (intent := written.get(finding.get("op"))) is None:
            unplaced.append(finding)
            continue
        place = max(0, bisect_right(starts, intent["t"]) - 1)
        windows[place]["findings"].append(finding)
    return unplaced


def succeeded(entry):
    return entry["complete"] if entry["what"] == "read" else entry["verdict"] == "acknowledged"


def row_of(window):
    answers, ops = window["answers"], window["ops"]
    times = sorted(entry["ms"] for entry in answers)
    failed = [entry for entry in answers if not succeeded(entry)]
    codes = {}
    for entry in failed:
        codes[entry["code"]] = codes.get(entry["code"], 0) + 1
    row = {
        "fault": window["name"], "row": window["row"],
        "aim": " ".join((window.get("aim") or {}).get("names", [])),
        "requests": len(answers),
        "success": round(100 * (1 - len(failed) / len(answers)), 3) if answers else None,
        "failed": dict(sorted(codes.items(), key=lambda pair: -pair[1])),
        "p99_ms": times[int(len(times) * 0.99)] if times else None,
        "worst_ms": times[-1] if times else None,
        "stale": sum(1 for entry in answers if entry["what"] == "read" and entry["stale"]),
        "recovered_s": recovered(window, failed),
    }
    for name in ("unsent", "orders", "counts"):
        row[name] = max((sample[name] for sample in window["waits"]), default=None)
    for verdict in ("acknowledged", "refused", "unknown"):
        row[verdict] = sum(1 for op in ops if op["verdict"] == verdict)
    kinds = [finding["kind"] for finding in window["findings"]]
    for kind in ("lost", "doubled", "refused_present"):
        row[kind] = kinds.count(kind)
    row["effects"] = len(kinds) - row["lost"] - row["doubled"] - row["refused_present"]
    return row


def recovered(window, failed):
    """Seconds from where healing began to the last answer that was none."""
    if window["healing"] is None:
        return None
    last = max((entry["t"] for entry in failed), default=0)
    return round(max(0, last - window["healing"]), 1)


def total_of(rows, windows):
    summed = ("requests", "acknowledged", "refused", "unknown", "lost", "doubled",
              "refused_present", "stale", "effects")
    total = {name: sum(row[name] for row in rows) for name in summed}
    failed = sum(sum(row["failed"].values()) for row in rows)
    times = sorted(entry["ms"] for window in windows for entry in window["answers"])
    total["success"] = round(100 * (1 - failed / max(1, total["requests"])), 3)
    total["p99_ms"] = times[int(len(times) * 0.99)] if times else None
    return total


def is_clean(whole):
    wrong = ("lost", "doubled", "refused_present", "stale", "effects")
    return not (
        whole["errors"] or whole["unplaced"] or whole["failed"] or not whole["drained"]["drained"]
        or any(whole["total"][name] for name in wrong)
    )


def seconds_of(record, happened):
    """Each second's answers, for the picture: sum, failures, p99."""
    seconds = {}
    for entry in record.sent + record.reads:
        if entry["t"] <= happened["ended"] + 1:
            second = int(entry["t"] - entry["ms"] / 1000 - happened["began"])
            seconds.setdefault(second, []).append(entry)
    out = []
    for second in sorted(second for second in seconds if second >= 0):
        entries = seconds[second]
        times = sorted(entry["ms"] for entry in entries)
        failed = sum(not succeeded(entry) for entry in entries)
        out.append([second, len(entries), failed, times[int(len(times) * 0.99)]])
    return out


def shown(value):
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{code} {count}" for code, count in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(result):
    lines = ["| " + " | ".join(title for _, title in COLUMNS) + " |",
             "|" + "---|" * len(COLUMNS)]
    for row in result["rows"]:
        cells = [shown(row[name]) for name, _ in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    total = {name: "" for name, _ in COLUMNS} | {"fault": "all", **result["total"]}
    lines.append("| " + " | ".join(shown(total[name]) for name, _ in COLUMNS) + " |")
    drained = result["drained"]
    lines += ["", f"Seed {result['seed']}; drained after {drained['seconds']} s; "
              f"left out: {shown(result['left_out']) or 'nothing'}."]
    laws = result["laws"]
    lines += [f"- {name}: {law['wrong']} wrong of {law['of']:,}" for name, law in laws.items()]
    lines += [f"- error: {error}" for error in result["errors"]]
    if result["failed"]:
        lines.append(f"- the checker failed: {result['failed']}")
    lines += [f"- {one['kind']} ({one['law']}): {one['what']}" for one in result["findings"][:30]]
    return "\n".join(lines) + "\n"
