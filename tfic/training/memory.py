"""Memory that a training needs, estimated from its settings by a formula; nothing is built and nothing is run.

For each process that trains, in float32 (4 bytes a number), with n images of its share of the batch:

    weights      5 * 4 * parameters                        weights, gradient, Adam's two means, the average
    codec        n * crop height * crop width * ACTIVATION_BYTES_PER_PX[codec]      kept for the backward pass
    readers      their sum of read_width_px / workers * height / first reader's height * READER_BYTES_PER_PX[name]
                                                           stage 2 alone
    detector     n * crop height * crop width * DETECTOR_BYTES_PER_PX               where detection is a task
    PyTorch      RUNTIME_BYTES                             context of the GPU, kernels, fragments: a guess

Bytes that are kept were counted, on a CPU, as the storages that autograd saves in the forward pass of one image of 256
x 256 pixels (`tests/test_memory.py` counts again). Kernels of a GPU that keep less of attention need less.
"""

from types import MappingProxyType

from tfic.config import TrainConfig
from tfic.reader_names import READERS
from tfic.task_names import weights_of
from tfic.weights import parse

GIB = 2**30
ACTIVATION_BYTES_PER_PX = MappingProxyType({
    "tic-tiny": 295, "tic-small": 1_169, "tic-medium": 9_667, "tic-base": 14_500, "lite": 357, "lite-vbr": 399,
})  # fmt: skip
"""Bytes that a codec keeps for its backward pass per pixel of a training crop."""
PARAMETERS = MappingProxyType({
    "tic-tiny": 698_083, "tic-small": 2_526_379, "tic-medium": 3_650_307, "tic-base": 7_510_723, "lite": 1_662_368,
    "lite-vbr": 1_962_776,
})  # fmt: skip
"""Numbers that a codec learns."""
READER_BYTES_PER_PX = MappingProxyType({"ppocrv6-small": 83_000, "easyocr": 60_500})
"""Bytes that a reader keeps for its backward pass per pixel of width that it reads, at its own height."""
READER_HEIGHT_PX = MappingProxyType({"ppocrv6-small": 48, "easyocr": 64})
"""Height of the line images that a reader takes."""
DETECTOR_BYTES_PER_PX = 577
"""Bytes that the detector keeps for its backward pass per pixel of a training crop."""
RUNTIME_BYTES = 0.7 * GIB
"""What PyTorch takes beside tensors on a GPU: a guess, no GPU was measured."""


def training_bytes(codec: str, train: TrainConfig, stage: int, workers: int = 1) -> float | None:
    """Return the estimated memory of each process that trains, in bytes; None for a codec that was never counted.

    Args:
        codec: name of the codec.
        train: settings of the training.
        stage: 1, or 2.
        workers: processes that share each step.
    """
    if codec not in ACTIVATION_BYTES_PER_PX:
        return None
    images = -(-(train.batch if stage == 1 else train.finetune_batch) // workers)
    pixels = images * train.crop_height_px * train.crop_width_px
    tasks = weights_of(train.tasks) if stage == 2 else {}
    readers = list(parse(train.readers, READERS, "readers")) if "reading" in tasks else []
    # the first one's height decides how wide the lines are that are read in a step
    kept = sum(READER_BYTES_PER_PX[name] * READER_HEIGHT_PX[name] / READER_HEIGHT_PX[readers[0]] for name in readers)
    looking = train.read_width_px / workers * kept + pixels * DETECTOR_BYTES_PER_PX * ("detection" in tasks)
    return 5 * 4 * PARAMETERS[codec] + pixels * ACTIVATION_BYTES_PER_PX[codec] + looking + RUNTIME_BYTES


def set_bytes(count: int, height_px: int, width_px: int) -> int:
    """Return the bytes of a training set's pixels, which a GPU holds if there is room beside the training."""
    return 3 * count * height_px * width_px
