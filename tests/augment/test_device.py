"""What a GPU asks of the augmentations, as far as it shows without one.

The meta device has shapes and no numbers: whoever reads one back, and would make a GPU wait, gets an error.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from semisupcon.augment import TRANSFORMS

DEVICE = torch.device("meta")
RATE = 22050


class Watch(TorchDispatchMode):
    """Notes every operation with its arguments and its result."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.seen.append((func.overloadpacket.__name__, args, out))
        return out


@pytest.fixture(params=[name for name in TRANSFORMS if name != "mp3"])  # the codec runs on the host
def seen(request):
    with Watch() as watch:
        out = TRANSFORMS[request.param]().effect(torch.zeros(5, 1, 59049, device=DEVICE), RATE, 2.5)
    assert out.shape == (5, 1, 59049)
    assert out.device == DEVICE
    return watch.seen


def test_nothing_is_in_double_precision(seen):
    """MPS has none."""
    made = {name for name, _, out in seen if isinstance(out, torch.Tensor) and out.device == DEVICE and wide(out)}
    assert not made


def wide(tensor):
    return tensor.dtype in (torch.float64, torch.complex128)


def test_nothing_is_written_by_index_to_overlapping_windows(seen):
    """Under torch.use_deterministic_algorithms they would be copied out, each as long as the clip."""
    for name, (target, *_), _ in seen:
        if name in ("index_put_", "_index_put_impl_"):
            assert target.is_contiguous()


def test_what_is_scattered_meets_nothing_of_the_same_row(seen):
    """A GPU adds what meets in any order, so that the last bits differ."""
    for name, args, _ in seen:
        if name in ("scatter_add_", "scatter_add"):
            assert args[2].shape[1] == 1
