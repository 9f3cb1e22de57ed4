"""Bar charts as SVG: of a model and a number of threads, each cell's engines beside strata."""
COLOURS = {"strata": "#1f6feb", "llama.cpp": "#8c959f", "ik_llama.cpp": "#bf8700",
           "openvino": "#8250df"}
BAR, GAP, LABELS, WIDTH, SCALE = 14, 14, 150, 760, 400


def bar(x, y, length, colour, hollow, text):
    fill = "none" if hollow else colour
    return (f'<rect x="{x}" y="{y}" width="{length:.1f}" height="{BAR - 3}" fill="{fill}" '
            f'stroke="{colour}"/><text x="{x + length + 6:.1f}" y="{y + BAR - 5}">{text}</text>')


def group(row, y):
    """The bars of one cell, as long as the engine is fast beside the fastest of the cell."""
    fastest = max(engine["speed"] for engine in row["engines"].values())
    lines = [f'<text x="{LABELS - 10}" y="{y + BAR}" text-anchor="end">{row["cell"]}</text>']
    for i, (name, engine) in enumerate(row["engines"].items()):
        note = f"{name} {engine['speed']:.0f}" + ("" if engine["right"] else ", wrong answers")
        lines.append(bar(LABELS, y + i * BAR, SCALE * engine["speed"] / fastest, COLOURS[name],
                         not engine["right"], note))
    return lines


def plot(title, rows):
    y, lines = 40, [f'<text x="10" y="22" font-size="15">{title}</text>']
    for row in rows:
        lines += group(row, y)
        y += BAR * len(row["engines"]) + GAP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
            'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" '
            'fill="white"/>\n' + "\n".join(lines) + "\n</svg>\n")


def write_plots(rows, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for model, threads in sorted({(row["model"], row["threads"]) for row in rows}):
        mine = [row for row in rows if (row["model"], row["threads"]) == (model, threads)]
        title = f"{model}, {threads} thread{'s' if threads > 1 else ''}: tokens a second"
        path = folder / f"speed-{model}-{threads}.svg"
        path.write_text(plot(title, mine), encoding="utf-8")
