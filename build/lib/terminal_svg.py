"""A terminal session as a picture: reads build/demo's output, writes an SVG that types itself.

    build/demo | python3 build/lib/terminal_svg.py >docs/demo.svg

The build before the session is left out. The port, another one each time, becomes 8090.
The SVG has no script, no font and no link, so that GitHub shows it; it stands still for
those who ask for reduced motion. It is narrow, so that a phone shows it in letters that can be read.
"""

import html
import re
import sys
import textwrap

COLUMNS = 53
# In em. The widest of these fonts, SF Mono, has 0.618.
COLUMN = 0.62

session = sys.stdin.read()
session = session[session.index("A stand-in for") :].rstrip("\n")
if "in a container" not in session:
    sys.exit("the picture ends with a container: build/demo found no Docker engine")
port = re.search(r"localhost:(\d+)", session)[1]
lines = session.replace(port, "8090").split("\n")
# A line as the rows of the picture.
wrapped = [textwrap.wrap(line, COLUMNS, break_on_hyphens=False) or [""] for line in lines]

width = COLUMNS * COLUMN * 13 + 32
height = sum(map(len, wrapped)) * 20 + 58
print(
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}"\n'
    """     role="img" font-size="13" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace">
  <title>probe notices a frozen server, a port check does not; a container that deadlocks is restarted</title>
  <style>
    text { fill: #d0d7de; white-space: pre; animation: show .01s backwards }
    .command { fill: #fff; font-weight: 600 } .remark { fill: #8b949e }
    .healthy { fill: #3fb950 } .unhealthy { fill: #ff7b72 }
    @keyframes show { from { opacity: 0 } to { opacity: 1 } }
    @media (prefers-reduced-motion: reduce) { text { animation: none } }
  </style>"""
)
print(f'  <rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1}" rx="8" fill="#0d1117" stroke="#3d444d"/>')
for index, colour in enumerate(["#ff5f57", "#febc2e", "#28c840"]):
    print(f'  <circle cx="{20 + 20 * index}" cy="20" r="6" fill="{colour}"/>')

# How each line looks, and the seconds before it appears.
LOOKS = {"+": ("command", 0.8), "healthy:": ("healthy", 0.3), "unhealthy:": ("unhealthy", 1.0), "exit": ("remark", 0.1)}
at, y = 0.0, 54
for rows in wrapped:
    look, pause = LOOKS.get(rows[0].split(" ")[0], ("remark", 0.8))
    at += pause if rows[0] else 0
    for row in rows:
        if row:
            print(f'  <text class="{look}" x="16" y="{y}" style="animation-delay:{at:.1f}s">{html.escape(row)}</text>')
        y += 20
print("</svg>")
