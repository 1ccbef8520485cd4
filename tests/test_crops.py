"""Training crops depend on the generator alone and carry the lines that lie whole in them."""

from collections.abc import Sequence

import numpy as np
import torch

from tfic.pages.lines import Page, StoredPage
from tfic.synth import draw
from tfic.training.crops import Crops, draw_crops

PAGES = [draw(0, "train", i) for i in range(8)]


def crops(seed: int, height: int = 64, width: int = 256, on_text: bool = True, pages: Sequence[Page] = PAGES) -> Crops:
    return draw_crops(pages, np.random.default_rng(seed), 6, height, width, on_text)


def test_the_same_generator_gives_the_same_crops() -> None:
    assert torch.equal(crops(3).on("cpu"), crops(3).on("cpu"))
    assert not torch.equal(crops(3).on("cpu"), crops(4).on("cpu"))


def test_every_line_lies_whole_in_its_crop_and_over_its_own_pixels() -> None:
    found = 0
    for seed in range(5):
        batch = crops(seed)
        for b, line in batch.lines:
            found += 1
            xs, ys = zip(*line.quad, strict=True)
            assert min(xs) >= 0
            assert min(ys) >= 0
            assert max(xs) <= 256
            assert max(ys) <= 64
            (source,) = [(page, other) for page in PAGES for other in page.lines if other.text == line.text][:1]
            top = round(source[1].top - line.top)
            expected = torch.from_numpy(source[0].image[top : top + 64].copy()).permute(2, 0, 1).float() / 255
            assert torch.equal(batch.on("cpu")[b], expected)
    assert found > 20


def test_crops_on_text_hold_a_line_and_others_need_not() -> None:
    on_text = [len({b for b, _ in crops(seed).lines}) for seed in range(10)]
    anywhere = [len({b for b, _ in crops(seed, on_text=False).lines}) for seed in range(10)]
    assert sum(on_text) > sum(anywhere)
    assert sum(on_text) >= 55


def test_each_rank_cuts_its_own_crops_and_reads_no_other_page() -> None:
    asked: list[int] = []

    def page(i: int) -> StoredPage:
        def read() -> np.ndarray:
            asked.append(i)
            return PAGES[i].image

        return StoredPage(PAGES[i].name, PAGES[i].size_px, read, PAGES[i].lines)

    batch = crops(3, pages=[page(i) for i in range(len(PAGES))])
    assert asked == [], "where crops lie is known without a pixel"
    part = range(1, 6, 2)
    own = batch.cut(part)
    assert asked == batch.places[part, 0].tolist()
    assert torch.equal(own, crops(3).cut()[1::2])
    assert torch.equal(batch.on_text(part), batch.on_text(range(6))[1::2])


def test_a_page_smaller_than_the_crop_is_continued_by_its_edge() -> None:
    small = Page("small.png", np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3), ())
    x = crops(0, pages=[small]).on("cpu")
    assert x.shape == (6, 3, 64, 256)
    assert torch.equal(x[0, :, 4:, 6:], x[0, :, 4:5, 6:7].expand(-1, 60, 250))
