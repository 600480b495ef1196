"""A terminal session as a picture: reads build/demo's output, writes an SVG that types itself.

    build/demo | python3 build/lib/terminal_svg.py >docs/demo.svg

The build before the session is left out, and so is the container after it, which takes an engine. The port, another one each time, becomes 8090.
The SVG has no script, no font and no link, so that GitHub shows it; it stands still for
those who ask for reduced motion.
"""

import html
import re
import sys

session = sys.stdin.read()
session = session[session.index("A stand-in for") :]
session = re.split(r"\n\n(?:The same server in a container|No Docker engine)", session)[0].rstrip("\n")
port = re.search(r"localhost:(\d+)", session)[1]
lines = session.replace(port, "8090").split("\n")

width = max(map(len, lines)) * 7.85 + 40
height = len(lines) * 21 + 62
print(
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}"\n'
    """     role="img" font-size="13" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace">
  <title>probe notices a frozen server, a port check does not</title>
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
    print(f'  <circle cx="{22 + 20 * index}" cy="20" r="6" fill="{colour}"/>')

# How each line looks, and the seconds before it appears.
LOOKS = {"+": ("command", 1.2), "healthy:": ("healthy", 0.3), "unhealthy:": ("unhealthy", 1.4), "exit": ("remark", 0.1)}
at = 0.0
for index, line in enumerate(lines):
    if line:
        look, pause = LOOKS.get(line.split()[0], ("remark", 1.0))
        at += pause
        y = 58 + 21 * index
        print(f'  <text class="{look}" x="20" y="{y}" style="animation-delay:{at:.1f}s">{html.escape(line)}</text>')
print("</svg>")
