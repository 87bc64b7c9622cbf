"""Draws the sample clips of this folder: figures that move, in flat colours, as animated GIFs at 25 frames a second.

usage: make_samples.py      needs pillow; writes beside itself, the same bytes every time
"""
import math
import os

from PIL import Image, ImageDraw

HERE = os.path.dirname(os.path.abspath(__file__))
SIZE = (192, 144)


def limb(draw, start, angle, length, width=7, fill="#26323f"):
    end = (start[0] + length * math.sin(angle), start[1] + length * math.cos(angle))
    draw.line([start, end], fill=fill, width=width)
    r = width // 2
    draw.ellipse([end[0] - r, end[1] - r, end[0] + r, end[1] + r], fill=fill)
    return end


def figure(draw, x, ground, arm, leg, lift):
    """A person at `x`: `arm` and `leg` are angles from hanging straight down, `lift` is how far the feet are up."""
    hip, shoulder = (x, ground - 46 - lift), (x, ground - 84 - lift)
    for side in (-1, 1):
        knee = limb(draw, hip, side * leg, 24)
        limb(draw, knee, side * leg * 0.4, 24)
        elbow = limb(draw, shoulder, side * arm, 18)
        limb(draw, elbow, side * arm * 1.15, 18)
    draw.line([hip, shoulder], fill="#26323f", width=11)
    draw.ellipse([x - 10, shoulder[1] - 24, x + 10, shoulder[1] - 4], fill="#d98e63")


def jumping_jacks(frames=64):
    """A person does jumping jacks: arms and legs out and in again, once every 20 frames."""
    for i in range(frames):
        image = Image.new("RGB", SIZE, "#dfe7ea")
        draw = ImageDraw.Draw(image)
        draw.rectangle([0, 118, SIZE[0], SIZE[1]], fill="#9fb58a")
        draw.rectangle([142, 40, 172, 118], fill="#b9794f")
        phase = (1 - math.cos(2 * math.pi * i / 20)) / 2
        figure(draw, 88, 122, 0.25 + 2.5 * phase, 0.12 + 0.5 * phase, 9 * math.sin(math.pi * phase))
        yield image.quantize(32, dither=Image.Dither.NONE)


def main():
    first, *rest = jumping_jacks()
    path = os.path.join(HERE, "jumping_jacks.gif")
    first.save(path, save_all=True, append_images=rest, duration=40, loop=0, optimize=True)
    print(path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main()
