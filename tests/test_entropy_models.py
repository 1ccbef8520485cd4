"""CompressAI's entropy models come without what nobody here uses, and the rest of CompressAI when somebody does."""

import subprocess
import sys

import pytest

PROCESS = """
import sys
from tfic.codec import build
build("lite")
assert "compressai.entropy_models" in sys.modules
print(*(name in sys.modules for name in ("torch_geometric", "compressai.models", "compressai.datasets")))
import compressai
assert compressai.ans.RansEncoder
print(compressai.__version__, compressai.available_entropy_coders(), len(compressai.zoo.image_models))
from compressai.entropy_models import EntropyBottleneck
from tfic.codec.entropy_models import EntropyBottleneck as ours
print(EntropyBottleneck is ours, "torch_geometric" in sys.modules)
"""


@pytest.mark.slow
def test_a_codec_is_built_without_the_rest_of_compressai_which_is_there_when_it_is_asked_for() -> None:
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", PROCESS], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    before, asked, after = ran.stdout.splitlines()
    assert before == "False False False"
    assert asked.startswith("1.")
    assert "['ans']" in asked
    assert int(asked.split()[-1]) > 5
    assert after == "True True"
