"""A run over time: the share of answers that were one, their p99, and when something was broken."""

WIDTH, HEIGHT, LEFT, TOP = 1000, 150, 60, 40
SUCCESS, SLOW, BAND, INK = "#0a7d4f", "#b3470a", "#f3d9b1", "#333"


def of(result):
    seconds = result["seconds"]
    last = max((second for second, *_ in seconds), default=1) or 1
    across = (WIDTH - LEFT - 20) / last
    parts = [head(result)]
    for fault in result["faults"]:
        parts.append(band(fault, result["began"], across))
    shares = [(second, 1 - failed / count) for second, count, failed, _ in seconds]
    parts.append(axis(TOP, "success", [("100 %", 1), ("50 %", 0.5), ("0", 0)]))
    parts.append(line(shares, TOP, across, SUCCESS))
    # Latencies on a scale of tens: 1 ms to 10 s.
    from math import log10

    times = [(second, log10(max(1, min(ms, 10_000))) / 4) for second, _, _, ms in seconds]
    below = TOP + HEIGHT + 40
    parts.append(axis(below, "p99", [("10 s", 1), ("100 ms", 0.5), ("1 ms", 0)]))
    parts.append(line(times, below, across, SLOW))
    parts.append(text(WIDTH - 20, below + HEIGHT + 24, f"{last} s", "end"))
    return "\n".join(parts) + "\n</svg>\n"


def head(result):
    total = result["total"]
    title = (f"seed {result['seed']}: {total['requests']:,} requests, "
             f"{total['success']} % succeeded, lost {total['lost']}, doubled {total['doubled']}")
    height = TOP + 2 * HEIGHT + 80
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12"><title>{title}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{text(LEFT, 16, title)}'
    )


def text(x, y, words, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}">{words}</text>'


def band(fault, began, across):
    left = LEFT + (fault["from"] - began) * across
    width = max(2, (fault["healed"] - fault["from"]) * across)
    height = 2 * HEIGHT + 40
    label = text(left, TOP - 6, fault["name"]).replace(
        "<text ", f'<text font-size="9" transform="rotate(-12 {left:.1f} {TOP - 6})" '
    )
    return (f'<rect x="{left:.1f}" y="{TOP}" width="{width:.1f}" height="{height}" '
            f'fill="{BAND}"/>{label}')


def axis(top, name, marks):
    parts = [text(8, top + HEIGHT / 2 - 14, name)]
    for words, share in marks:
        y = top + HEIGHT * (1 - share)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - 20}" stroke="#ccc"/>')
        parts.append(text(LEFT - 6, y + 4, words, "end"))
    return "".join(parts)


def line(points, top, across, colour):
    path = " ".join(
        f"{LEFT + second * across:.1f},{top + HEIGHT * (1 - share):.1f}" for second, share in points
    )
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.2"/>'
