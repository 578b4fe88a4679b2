"""Draw docs/architecture-light.svg and -dark.svg: `make docs`.

By hand instead of by a layout engine: no icons and fonts of others, and the same bytes everywhere.
Names come from the template's files. Two files and not one that asks for the colour scheme, because
a page may have another one than the reader's system; README's <picture> chooses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from string import Template

from scripts.template import DOCUMENTS, answers, setting, stack_file

WIDTH, HEIGHT = 800, 964
STYLE = """
text { font: 17px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
text { fill: $text }
.code, .name { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace }
.name, .word, .head { font-size: 19px; font-weight: 600 }
.what { font-size: 16px; fill: $faint }
.way { font-size: 15px; fill: $faint }
.code { font-size: 15px }
.edge { fill: $edge }
.number { font-size: 16px; font-weight: 700; fill: $on_edge }
.middle { text-anchor: middle }
.page { fill: $page }
.box { fill: $box; stroke: $line; stroke-width: 1.5 }
.inside { fill: $inside; stroke: $edge; stroke-width: 2.5; stroke-dasharray: 9 6 }
.ring { fill: $page; stroke: $edge; stroke-width: 2.5 }
.badge, .on { fill: $edge }
.knob { fill: $on_edge }
path { fill: none; stroke-width: 3 }
.build { stroke: $build }
.run { stroke: $run }
.build-head { fill: $build }
.run-head { fill: $run }
"""

TITLE = "A Cloud Run function that is built and runs in a closed network"
DESCRIPTION = (
    "Inside a VPC Service Controls perimeter the function's source goes from a bucket to the "
    "private worker pool {pool}. There pip asks nothing but the remote repository {python}, which "
    "reaches the public index only while the switch is at ALLOW. The image goes to {docker} and "
    "becomes the function. An alert reaches it through Pub/Sub, and its SNMP notification leaves "
    "through the network {network}. Four pieces must agree: the pool, the index line, the "
    "perimeter and the switch."
)


@dataclass(frozen=True)
class Palette:
    """The colours of one scheme."""

    page: str
    inside: str
    box: str
    line: str
    text: str
    faint: str
    build: str
    run: str
    edge: str
    on_edge: str


PALETTES = {
    "light": Palette(
        page="#ffffff",
        inside="#f6f4fd",
        box="#ffffff",
        line="#b9c0ca",
        text="#1f2328",
        faint="#57606a",
        build="#0a5fc4",
        run="#12753a",
        edge="#6e40c9",
        on_edge="#ffffff",
    ),
    "dark": Palette(
        page="#0d1117",
        inside="#171a2b",
        box="#0d1117",
        line="#4a5360",
        text="#e6edf3",
        faint="#a3adb8",
        build="#6cb2ff",
        run="#56d374",
        edge="#b08cff",
        on_edge="#0d1117",
    ),
}


@dataclass(frozen=True)
class Box:
    """A box with two lines of text: what it is called, and what it is. Lengths are pixels."""

    x: int
    y: int
    width: int
    name: str
    what: str
    kind: str = "name"  # or "word", where the name is none of ours
    height: int = 78

    @property
    def middle(self) -> tuple[int, int]:
        return self.x + self.width // 2, self.y + self.height // 2

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def draw(self) -> Iterator[str]:
        x, y = self.middle
        yield rect(self.x, self.y, self.width, self.height, 10, "box")
        yield label(x, y - 5, self.name, self.kind)
        yield label(x, y + 21, self.what, "what")


def names() -> dict[str, str]:
    """What the template calls its pieces."""
    return {
        "pool": setting("platform", "pool.name"),
        "python": str(answers()["python_repository"]),
        "docker": setting("platform", "repositories.docker"),
        "network": setting("platform", "network.name"),
        "service": restricted_service(),
        "switch": switch(),
    }


def restricted_service() -> str:
    """The one service that the perimeter restricts by default."""
    declared = stack_file("platform", "variables.tf")
    _, _, rest = declared.partition("restricted_services = optional(list(string), [")
    return rest.partition("]")[0].strip('"')


def switch() -> str:
    """The command that throws the switch, without its options."""
    words = stack_file("platform", "outputs.tf").split("gcloud ", 1)[1]
    return "gcloud " + words.split(" --", 1)[0]


def drawing(scheme: str) -> str:
    """The whole picture as SVG."""
    return "\n".join(lines(PALETTES[scheme])) + "\n"


def lines(colours: Palette) -> Iterator[str]:
    known = names()
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-labelledby="title description">'
    )
    yield f'<title id="title">{escape(TITLE)}</title>'
    yield f'<desc id="description">{escape(DESCRIPTION.format(**known))}</desc>'
    yield f"<style>{Template(STYLE).substitute(asdict(colours))}</style>"
    yield "<defs>"
    for path in ("build", "run"):
        yield (
            f'<marker id="{path}-end" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="6.5" '
            'markerHeight="6.5" orient="auto">'
            f'<path class="{path}-head" d="M0 0 10 5 0 10z"/></marker>'
        )
    yield "</defs>"
    yield rect(0, 0, WIDTH, HEIGHT, 12, "page")
    yield from picture(known)
    yield from legend(known)
    yield "</svg>"


def picture(known: dict[str, str]) -> Iterator[str]:
    left, right, outside = 34, 304, 612
    rows = [146, 266, 386, 506, 626]
    edge = Box(10, 112, 556, "", "", height=616)
    deployer = Box(left, 14, 230, "You, or your CI", "make deploy", "word", 66)
    source = Box(left, rows[0], 230, "Source bucket", "main.py, requirements.txt", "word")
    pool = Box(left, rows[1], 230, known["pool"], "private, no external IP")
    python = Box(right, rows[1], 226, known["python"], "remote repository")
    index = Box(outside, rows[1], 178, "Public index", "Python packages", "word")
    docker = Box(left, rows[2], 230, known["docker"], "the function's image")
    alert = Box(right, rows[2], 226, "Cloud Monitoring", "an alert opens, closes", "word")
    function = Box(left, rows[3], 230, "The function", "Cloud Run", "word")
    topic = Box(right, rows[3], 226, "Pub/Sub", "topic, dead letters", "word")
    network = Box(left, rows[4], 230, known["network"], "lets out what is named")
    receiver = Box(outside, rows[4], 178, "SNMP receiver", "traps, informs", "word")

    yield rect(edge.x, edge.y, edge.width, edge.height, 16, "inside")
    yield badge(right + 13, rows[0] + 15, 3)
    yield text(right + 36, rows[0] + 22, "The perimeter", "edge head")
    yield text(right, rows[0] + 50, "VPC Service Controls", "what")
    yield text(right, rows[0] + 73, "around Artifact Registry", "what")

    # What crosses the perimeter: two let through by a rule, one by the switch.
    yield ring(deployer.middle[0], edge.y)
    yield ring(edge.right, receiver.middle[1])
    yield from down("build", deployer, source)
    yield text(deployer.middle[0] + 16, edge.y - 12, "ingress rule", "way")
    yield from across("build", python, index)
    yield from toggle(edge.right, python.middle[1])
    yield badge(edge.right, python.middle[1] - 31, 4)
    yield from across("run", network, receiver, "firewall: SNMP by name")

    yield from down("build", source, pool, "build")
    yield from across("build", pool, python, "pip")
    yield from down("build", pool, docker, "image")
    yield from down("run", docker, function, "deploy")
    yield from down("run", alert, topic)
    yield from across("run", topic, function, "push")
    yield from down("run", function, network, "VPC egress")

    inside = (source, pool, python, docker, alert, function, topic, network)
    for box in (deployer, *inside, index, receiver):
        yield from box.draw()
    yield badge(pool.x, pool.y, 1)
    yield badge(source.x, source.y, 2)
    for kind, words, y in (("build", "the build", 44), ("run", "at run time", 72)):
        yield text(outside, y, words, "way")
        yield arrow(kind, outside + 102, y - 5, outside + 162, y - 5)


def legend(known: dict[str, str]) -> Iterator[str]:
    yield text(34, 772, "Four pieces must agree", "head")
    index = f"https://REGION-python.pkg.dev/PROJECT/{known['python']}/simple/"
    for number, (piece, value) in enumerate(
        (
            ("the pool", f"{known['pool']}, no external IP"),
            ("the index line", index),
            ("the perimeter", f"restricts {known['service']}"),
            ("the switch", known["switch"]),
        ),
        start=1,
    ):
        y = 772 + 40 * number
        yield badge(46, y - 6, number)
        yield text(70, y, piece, "piece")
        yield text(200, y, value, "code")


def rect(x: int, y: int, width: int, height: int, radius: int, kind: str) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'


def text(x: int, y: int, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def label(x: int, y: int, words: str, kind: str) -> str:
    """Text around `x`."""
    return text(x, y, words, f"{kind} middle")


def arrow(kind: str, x: int, y: int, to_x: int, to_y: int) -> str:
    return f'<path class="{kind}" marker-end="url(#{kind}-end)" d="M{x} {y}L{to_x} {to_y}"/>'


def down(kind: str, upper: Box, lower: Box, words: str = "") -> Iterator[str]:
    yield arrow(kind, upper.middle[0], upper.bottom, lower.middle[0], lower.y)
    if words:
        yield text(upper.middle[0] + 16, lower.y - 15, words, "way")


def across(kind: str, start: Box, end: Box, words: str = "") -> Iterator[str]:
    """An arrow to the right or to the left, with its words above the middle."""
    x, to_x = (start.right, end.x) if start.x < end.x else (start.x, end.right)
    yield arrow(kind, x, start.middle[1], to_x, start.middle[1])
    if words:
        yield label((x + to_x) // 2, start.middle[1] - 12, words, "way")


def ring(x: int, y: int) -> str:
    """An opening in the perimeter."""
    return f'<circle class="ring" cx="{x}" cy="{y}" r="9"/>'


def badge(x: int, y: int, number: int) -> str:
    """One of the four pieces that have to agree."""
    circle = f'<circle class="badge" cx="{x}" cy="{y}" r="13"/>'
    return circle + label(x, y + 6, str(number), "number")


def toggle(x: int, y: int) -> Iterator[str]:
    """A switch that is on, around `x` and `y`."""
    yield rect(x - 20, y - 11, 40, 22, 11, "on")
    yield f'<circle class="knob" cx="{x + 9}" cy="{y}" r="8"/>'


def main() -> None:
    for scheme in PALETTES:
        page = DOCUMENTS / f"architecture-{scheme}.svg"
        page.write_text(drawing(scheme), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
