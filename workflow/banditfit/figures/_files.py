"""Figures as files: the same figure gives the same bytes, and no more of them than show."""

import base64
import io
import re

from matplotlib.figure import Figure
from PIL import Image

# Of a palette: the drawings use few, and shades of those. A cloud has one.
COLOURS, SHADES = 128, 32
CLOUDS = 90  # dots per inch of what an SVG holds as an image: clouds of points, traces
FONTS = "'DejaVu Sans', Verdana, sans-serif"  # which are alike, so that labels stay where they belong
# Names of clips and markers: digests of unrounded floats, whose last bits differ from run to run.
NAME = r'(id="|url\(#|href="#)([a-z][0-9a-f]{10})(?=["\)])'
HOW = {"bbox_inches": "tight", "pad_inches": 0.05}


def png(figure: Figure) -> bytes:
    """The figure as PNG with a palette."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None}, **HOW)
    return _with_palette(Image.open(file).convert("RGB"))


def svg(figure: Figure) -> str:
    """The figure as SVG, coordinates to a hundredth of a point; text is text."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, dpi=CLOUDS, **HOW)
    text = file.getvalue().replace("'DejaVu Sans'", FONTS)
    text = re.sub(r' (?:d|x|y)="[^"]+"', lambda held: re.sub(r"-?\d+\.\d{3,}", _short, held[0]), text)
    names: dict[str, str] = {}
    text = re.sub(NAME, lambda held: held[1] + names.setdefault(held[2], f"{held[2][0]}{len(names)}"), text)
    text = re.sub(r'base64,\s*([^"]+)"', lambda held: f'base64,{_smaller(held[1])}"', text)
    return re.sub(r"\s*\n\s*", "\n", text)


def _short(number: re.Match) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _smaller(image: str) -> str:
    return base64.b64encode(_with_palette(Image.open(io.BytesIO(base64.b64decode(image))).convert("RGBA"))).decode()


def _with_palette(image: Image.Image) -> bytes:
    # FASTOCTREE knows transparency; MEDIANCUT keeps white white.
    cloud = image.mode == "RGBA"
    colours, how = (SHADES, Image.Quantize.FASTOCTREE) if cloud else (COLOURS, Image.Quantize.MEDIANCUT)
    file = io.BytesIO()
    image.quantize(colours, how, dither=Image.Dither.NONE).save(file, format="png", optimize=True)
    return file.getvalue()
