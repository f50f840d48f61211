"""Takes the pictures of the page for the README and the docs: `docs/images/page*.png`.

    python benchmarks/screenshots.py

Only drawings are on them. Needs the extras `web-test` and `video`, and Chromium (or UNMASK_CHROMIUM).
"""

from __future__ import annotations

import io
import math
import os
import shutil
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from machine import ROOT
from serving import unmask_serve
from unmask.demo.samples import sample_jpeg

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SIZES = {"desk": (1440, 1180), "phone": (375, 1700)}
NAMES = {
    ("desk", "light"): "page.png",
    ("desk", "dark"): "page-dark.png",
    ("phone", "light"): "page-phone.png",
    ("phone", "dark"): "page-phone-dark.png",
}
CLIP_NAMES = {("desk", "light"): "page-clip.png", ("phone", "dark"): "page-clip-phone.png"}
FOLDER = ROOT / "docs" / "images"


def main() -> None:
    program = os.environ.get("UNMASK_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with unmask_serve() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                page = context.new_page()
                page.goto(f"http://127.0.0.1:{server.port}/")
                fill(page)
                page.evaluate("scrollTo({top: 0, behavior: 'instant'})")  # the last answer has come into view
                save(page.screenshot(), NAMES[size, scheme])
                context.close()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/")
        clips(page)
        browser.close()


def fill(page: Any) -> None:
    """A fake-looking, a real-looking and a broken picture, in this order."""
    whole = sample_jpeg("portrait")
    assert whole is not None
    broken = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": whole[:6000]}
    for count, name in enumerate(("swapped-face", "portrait"), start=1):
        page.click(f"button[value={name}]")
        page.locator("article.answer").nth(count - 1).wait_for()
    page.set_input_files("#files", [broken])
    page.locator("article.answer").nth(2).wait_for()
    page.evaluate("window.scrollTo({ top: 0, behavior: 'instant' })")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")


def clips(page: Any) -> None:
    """The card of a clip, at the first of the moments that decided, in two looks."""
    page.set_input_files("#files", [{"name": "interview.mp4", "mimeType": "video/mp4", "buffer": clip()}])
    card = page.locator("article.clip")
    card.wait_for(timeout=300_000)
    card.locator(".jump").first.click()
    page.wait_for_function("() => { const v = document.querySelector('video'); return v.readyState > 2 && !v.seeking }")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(3000)  # until Chromium's ring of a clip that loads is gone
    for (size, scheme), name in CLIP_NAMES.items():
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        save(card.screenshot(), name)


def clip() -> bytes:
    """The bytes of a video of six seconds: two drawn faces that sway, the right one with a softer face blended in."""
    faces = []
    for name in ("portrait", "swapped-face"):
        data = sample_jpeg(name)
        assert data is not None
        faces.append(Image.open(io.BytesIO(data)))
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 960, 540, "yuv420p"
        for number in range(150):
            page = Image.new("RGB", (960, 540), (63, 72, 84))
            for at, face in enumerate(faces):
                turn = 2 * math.pi * (number / 75 + at / 3)
                side = round(360 + 24 * math.sin(turn / 2))
                shown = face.rotate(4 * math.sin(turn), Image.Resampling.BICUBIC, fillcolor=(63, 72, 84))
                page.paste(shown.resize((side, side)), (60 + 470 * at + round(25 * math.cos(turn)), 100))
            frame = av.VideoFrame.from_ndarray(np.asarray(page), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def save(data: bytes, name: str) -> None:
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.save(FOLDER / name, optimize=True)
    print(f"{name}: {(FOLDER / name).stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
