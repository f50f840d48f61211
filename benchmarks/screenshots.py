"""Takes the pictures of the page for the README and the docs: `docs/images/page*.png`.

    python benchmarks/screenshots.py

Only drawings are on them. Needs the extra `web-test` and Chromium (or UNMASK_CHROMIUM).
"""

from __future__ import annotations

import io
import os
import shutil
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from machine import ROOT
from serving import unmask_serve
from unmask.serve.samples import sample_jpeg

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SIZES = {"desk": (1440, 1180), "phone": (375, 1700)}
NAMES = {
    ("desk", "light"): "page.png",
    ("desk", "dark"): "page-dark.png",
    ("phone", "light"): "page-phone.png",
    ("phone", "dark"): "page-phone-dark.png",
}
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
                save(page.screenshot(), NAMES[size, scheme])
                context.close()
        browser.close()


def fill(page: Any) -> None:
    """A fake-looking, a real-looking and a broken picture, in this order."""
    whole = sample_jpeg("drawn-face")
    assert whole is not None
    broken = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": whole[:9000]}
    for count, name in enumerate(("blended-face", "drawn-face"), start=1):
        page.click(f"button[value={name}]")
        page.locator("article.answer").nth(count - 1).wait_for()
    page.set_input_files("#files", [broken])
    page.locator("article.answer").nth(2).wait_for()
    page.evaluate("window.scrollTo({ top: 0, behavior: 'instant' })")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")


def save(data: bytes, name: str) -> None:
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.save(FOLDER / name, optimize=True)
    print(f"{name}: {(FOLDER / name).stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
