#!/usr/bin/env python3
"""Draws the table that bench_allocators prints as an SVG: one panel per workload and thread count.

Usage: bench_plot.py < TABLE.md > PLOT.svg

A bar is an allocator's CPU time per operation as a multiple of jemalloc's; bars end at four times
and say their number.  Lines that are not rows of the table are ignored.
"""
import sys
from xml.sax.saxutils import escape

BAR, GAP, LEFT, WIDTH, COLUMNS, LIMIT = 16, 28, 90, 380, 2, 4.0
COLORS = {"groove": "#c0392b", "fd_alloc": "#d68910", "wksp": "#7d6608", "jemalloc": "#1f618d"}


def rows(lines):
    """(workload, threads) -> [(allocator, nanoseconds, ratio)], in the order of the table."""
    panels = {}
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        try:
            workload, allocator, threads, ns, ratio = cells[:5]
            key, row = (workload, int(threads)), (allocator, float(ns), float(ratio))
        except ValueError:
            continue
        panels.setdefault(key, []).append(row)
    return panels


def panel(title, bars, x, y):
    out = [f'<text x="{x}" y="{y + 12}" font-weight="bold">{escape(title)}</text>']
    scale = (WIDTH - LEFT - 110) / LIMIT
    for i, (name, ns, ratio) in enumerate(bars):
        top = y + 20 + i * BAR
        length = max(1.0, min(ratio, LIMIT) * scale)
        out.append(f'<text x="{x + LEFT - 6}" y="{top + 11}" text-anchor="end">{escape(name)}</text>')
        out.append(f'<rect x="{x + LEFT}" y="{top}" width="{length:.1f}" height="{BAR - 3}" '
                   f'fill="{COLORS.get(name, "#7f8c8d")}"/>')
        out.append(f'<text x="{x + LEFT + length + 5:.1f}" y="{top + 11}">{ratio:.2f} ({ns:.0f} ns)</text>')
    one = x + LEFT + scale
    out.append(f'<line x1="{one:.1f}" y1="{y + 18}" x2="{one:.1f}" y2="{y + 20 + len(bars) * BAR}" '
               'stroke="black" stroke-dasharray="2,2"/>')
    return out


def main():
    panels = rows(sys.stdin)
    if not panels:
        sys.exit("bench_plot: no table on standard input")
    height = max(len(bars) for bars in panels.values()) * BAR + 20 + GAP
    lines = -(-len(panels) // COLUMNS)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{COLUMNS * WIDTH + 20}" '
           f'height="{lines * height + 40}" font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="10" y="18" font-size="13">CPU time per operation / jemalloc (dashed: 1)</text>']
    for i, ((workload, threads), bars) in enumerate(panels.items()):
        x, y = 10 + i % COLUMNS * WIDTH, 30 + i // COLUMNS * height
        out += panel(f"{workload}, {threads} thread{'s' * (threads > 1)}", bars, x, y)
    print("\n".join(out + ["</svg>"]))


if __name__ == "__main__":
    main()
