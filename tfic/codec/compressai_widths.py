"""The image models of CompressAI that can be trained here, without importing them."""

WIDTHS: dict[str, tuple[int, ...]] = {
    "bmshj2018-factorized": (128, 192),
    "bmshj2018-factorized-relu": (128, 192),
    "bmshj2018-hyperprior": (128, 192),
    "bmshj2018-hyperprior-vbr": (192, 320),
    "mbt2018-mean": (128, 192),
    "mbt2018-mean-vbr": (192, 320),
    "mbt2018": (192, 192),
    "mbt2018-vbr": (192, 320),
    "cheng2020-anchor": (128,),
    "cheng2020-attn": (128,),
    "cheng2020-anchor-checkerboard": (192,),
    "elic2022-official": (192, 320),
    "elic2022-chandelier": (192, 320),
}
"""Names of the models, with the widths of CompressAI's lowest quality, or its defaults where there are no qualities."""
