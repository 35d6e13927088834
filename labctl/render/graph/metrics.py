"""How wide text may get in a picture, whatever font a viewer has: the widest of the usual ones is what counts."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.render.text import width

# Advance widths of DejaVu Sans and DejaVu Sans Bold for the characters from space to tilde, in thousandths of an em.
# No other font that a browser falls back to is wider.
# fmt: off
_PLAIN = (
    318, 401, 460, 838, 637, 951, 780, 275, 391, 391, 500, 838, 318, 361, 318, 337, 637, 637, 637, 637, 637, 637,
    637, 637, 637, 637, 337, 337, 838, 838, 838, 531, 1000, 685, 687, 699, 771, 632, 576, 775, 752, 295, 295, 656,
    558, 863, 749, 788, 604, 788, 695, 635, 611, 732, 685, 989, 686, 611, 686, 391, 337, 391, 838, 500, 500, 613,
    635, 550, 635, 616, 353, 635, 634, 278, 278, 580, 278, 975, 634, 612, 635, 635, 412, 521, 393, 634, 592, 818,
    592, 592, 525, 637, 337, 637, 838,
)
# fmt: on
# fmt: off
_BOLD = (
    349, 457, 521, 838, 696, 1002, 873, 307, 458, 458, 523, 838, 380, 416, 380, 366, 696, 696, 696, 696, 696, 696,
    696, 696, 696, 696, 400, 400, 838, 838, 838, 581, 1000, 774, 763, 734, 831, 684, 684, 821, 837, 373, 373, 775,
    638, 996, 837, 851, 733, 851, 771, 721, 683, 813, 774, 1104, 771, 725, 726, 458, 366, 458, 838, 500, 500, 675,
    716, 593, 716, 679, 436, 716, 712, 343, 343, 666, 343, 1042, 712, 688, 716, 716, 494, 596, 479, 712, 652, 924,
    646, 652, 583, 712, 366, 712, 838,
)
# fmt: on
_FIXED = 0.61  # em, in a font of fixed width
_WIDE, _OTHER = 1.3, 1.2  # em: a wide character (an emoji is wider than its square), and any other beyond ASCII
_ASCENT, _DESCENT = 0.95, 0.27  # em
PITCH = 1.4  # em from line to line


@dataclass(frozen=True)
class Style:
    """How a text looks: `name` is its class in the SVG, `size` in pixels."""

    name: str
    size: float
    bold: bool = False
    fixed: bool = False

    def extent(self, text: str) -> float:
        """Pixels that the text takes at most."""
        return sum(map(self._advance, text)) * self.size

    def _advance(self, character: str) -> float:
        if " " <= character <= "~":
            return _FIXED if self.fixed else (_BOLD if self.bold else _PLAIN)[ord(character) - 32] / 1000
        return (0.0, _OTHER, _WIDE)[width(character)]

    @property
    def ascent(self) -> float:
        return _ASCENT * self.size

    @property
    def descent(self) -> float:
        return _DESCENT * self.size

    @property
    def pitch(self) -> float:
        return PITCH * self.size


HEADING = Style("heading", 20, bold=True)
PROSE = Style("prose", 13)
NETWORK = Style("network", 14, bold=True)
SUBNET = Style("subnet", 12, fixed=True)
NAME = Style("name", 14, bold=True)
ROLE = Style("role", 12)
STATE = Style("state", 12, bold=True)
ADDRESS = Style("address", 12, fixed=True)
PORT = Style("port", 11, fixed=True)
LINK = Style("link", 12, bold=True)
TOPIC = Style("topic", 13, bold=True)
