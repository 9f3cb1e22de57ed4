"""Line charts as SVG, both axes logarithmic: a line each, dashed for a limit."""
import math

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 420, 70, 50, 20, 120
COLOURS = ["#1f6feb", "#bf8700", "#8250df", "#1a7f37", "#cf222e", "#57606a"]


def ticks(low, high):
    """1, 2, 5 of each decade within the range."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [step * 10.0 ** decade for decade in range(first, last + 1) for step in (1, 2, 5)
            if low * 0.999 <= step * 10.0 ** decade <= high * 1.001]


def scale(values, begin, end):
    low, high = min(values), max(values)
    low, high = low / 1.1, high * 1.1
    span = math.log(high / low)
    return low, high, lambda value: begin + (end - begin) * math.log(value / low) / span


def short(number):
    return f"{number:g}" if number < 10_000 else f"{number / 1000:g}k"


def chart(title, axis, lines):
    points = [point for _, line, _ in lines for point in line]
    low_x, high_x, at_x = scale([x for x, _ in points], LEFT, WIDTH - RIGHT)
    low_y, high_y, at_y = scale([y for _, y in points], HEIGHT - BOTTOM, TOP)
    out = [f'<text x="10" y="22" font-size="15">{title}</text>',
           f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - BOTTOM + 34}" text-anchor="middle">{axis}</text>']
    for tick in ticks(low_x, high_x):
        out.append(f'<text x="{at_x(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
                   f'{short(tick)}</text>')
    for tick in ticks(low_y, high_y):
        out.append(f'<text x="{LEFT - 8}" y="{at_y(tick) + 4:.1f}" text-anchor="end">{short(tick)}</text>'
                   f'<path d="M{LEFT} {at_y(tick):.1f}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
    names = list(dict.fromkeys(name.split(",")[0] for name, _, dashed in lines if not dashed))
    for i, (name, line, dashed) in enumerate(lines):
        owner = name.split(",")[0]
        colour = COLOURS[(names.index(owner) if owner in names else 0) % len(COLOURS)]
        style = f'stroke="{colour}"' + (' stroke-dasharray="5 4"' if dashed else "")
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in line)
        out.append(f'<polyline points="{path}" fill="none" stroke-width="1.6" {style}/>')
        x, y = LEFT + i % 2 * 330, HEIGHT - BOTTOM + 56 + i // 2 * 18
        out.append(f'<path d="M{x} {y - 4}h24" stroke-width="1.6" {style}/>'
                   f'<text x="{x + 30}" y="{y}">{name}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(out) + "\n</svg>\n")


def write_curves(charts, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for file, title, axis, lines in charts:
        (folder / f"{file}.svg").write_text(chart(title, axis, lines), encoding="utf-8")
