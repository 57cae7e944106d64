"""Figures as files: the same figure gives the same bytes, and no more of them than show.

A PNG holds a palette of the colours that fill most of it, and every colour that the figure itself uses is among them as it
is: what stands between two of them, at an edge, takes the nearest.
"""

import base64
import io
import re

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import is_color_like, to_rgba_array
from matplotlib.figure import Figure
from PIL import Image
from scipy.spatial import cKDTree

COLOURS = 256  # what a palette holds
CLOUDS = 90  # dots per inch of what an SVG holds as an image: clouds of points, traces
FONTS = "'DejaVu Sans', Verdana, sans-serif"  # which are alike, so that labels stay where they belong
# Names of clips and markers: digests of unrounded floats, whose last bits differ from run to run.
NAME = r'(id="|url\(#|href="#)([a-z][0-9a-f]{10})(?=["\)])'
HOW = {"bbox_inches": "tight", "pad_inches": 0.05}


def png(figure: Figure) -> bytes:
    """The figure as PNG with a palette."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None}, **HOW)
    return _with_palette(Image.open(file).convert("RGB"), used_colours(figure))


def svg(figure: Figure) -> str:
    """The figure as SVG, coordinates to a hundredth of a point; text is text."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, dpi=CLOUDS, **HOW)
    text = file.getvalue().replace("'DejaVu Sans'", FONTS)
    text = re.sub(r' (?:d|x|y)="[^"]+"', lambda held: re.sub(r"-?\d+\.\d{3,}", _short, held[0]), text)
    names: dict[str, str] = {}
    text = re.sub(NAME, lambda held: held[1] + names.setdefault(held[2], f"{held[2][0]}{len(names)}"), text)
    colours = used_colours(figure)
    text = re.sub(r'base64,\s*([^"]+)"', lambda held: f'base64,{_smaller(held[1], colours)}"', text)
    return _styled_once(re.sub(r"\s*\n\s*", "\n", text))


def _styled_once(text: str) -> str:
    """The same with every style said once, as a class: repeated on each element they are a quarter of a file."""
    classes: dict[str, str] = {}
    text = re.sub(r' style="([^"]+)"', lambda held: f' class="{classes.setdefault(held[1], f"s{len(classes)}")}"', text)
    return text.replace("</style>", "".join(f".{name}{{{style}}}" for style, name in classes.items()) + "</style>", 1)


def _short(number: re.Match) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _smaller(image: str, colours: np.ndarray) -> str:
    held = Image.open(io.BytesIO(base64.b64decode(image))).convert("RGBA")
    return base64.b64encode(_with_palette(held, colours)).decode()


def used_colours(figure: Figure) -> np.ndarray:
    """The opaque colours of whatever a figure shows, (n, 3) of 0 to 255, each once."""
    found = [to_rgba_array(colour) for artist in figure.findobj(Artist) for colour in _colours_of(artist)]
    rgba = np.concatenate([np.ones((1, 4)), *found])
    return np.unique(np.round(255 * rgba[rgba[:, 3] == 1.0, :3]).astype(np.uint8), axis=0)


def _colours_of(artist: Artist) -> list:
    names = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")
    held = [getattr(artist, f"get_{name}")() for name in names if hasattr(artist, f"get_{name}")]
    return [colour for colour in held if not isinstance(colour, str) or is_color_like(colour)]


def _with_palette(image: Image.Image, colours: np.ndarray) -> bytes:
    """The image (RGB or RGBA) with a palette of COLOURS, of which `colours` (n, 3) are some."""
    pixels = np.asarray(image)
    depth = pixels.shape[2]
    packed = pixels.astype(np.uint32) @ (256 ** np.arange(depth, dtype=np.uint32))
    shades, place, counts = np.unique(packed, return_inverse=True, return_counts=True)
    shades = (shades[:, None] >> (8 * np.arange(depth, dtype=np.uint32)) & 255).astype(np.uint8)
    opaque = np.pad(colours, ((0, 0), (0, depth - 3)), constant_values=255)
    wanted = (shades[:, None] == opaque[None]).all(axis=2).any(axis=1)
    # First what the figure uses, then what fills most of it; of equal ones the first.
    palette = shades[np.lexsort((np.arange(len(shades)), -counts, ~wanted))[:COLOURS]]
    nearest = cKDTree(_seen(palette)).query(_seen(shades))[1].astype(np.uint8)
    drawn = Image.fromarray(nearest[place].reshape(pixels.shape[:2]), mode="P")
    drawn.putpalette(palette[:, :3].tobytes())
    file = io.BytesIO()
    extra = {"transparency": palette[:, 3].tobytes()} if depth == 4 else {}
    drawn.save(file, format="png", optimize=True, **extra)
    return file.getvalue()


def _seen(shades: np.ndarray) -> np.ndarray:
    """Where shades lie for the eye: what is transparent counts for as much as it covers."""
    if shades.shape[1] == 3:
        return shades.astype(float)
    cover = shades[:, 3:] / 255.0
    return np.hstack([shades[:, :3] * cover, shades[:, 3:]])
