"""HU through windows."""

from __future__ import annotations

import torch

from rtseg.segmentation.inputs import through_windows


def test_each_window_is_a_channel_from_minus_one_to_one() -> None:
    hu = torch.tensor([-2000.0, -1000.0, -160.0, 40.0, 250.0, 1500.0]).view(1, 1, 1, 1, 6)
    seen = through_windows(hu, [(-1000.0, 1500.0), (-160.0, 240.0)])

    assert seen.shape == (1, 2, 1, 1, 6)
    # 250 is the middle of the wide window: (250 + 1000) / 2500 = 1/2; 40 the middle of the narrow one
    torch.testing.assert_close(seen[0, 0, 0, 0], torch.tensor([-1, -1, -0.328, -0.168, 0, 1]))
    torch.testing.assert_close(seen[0, 1, 0, 0], torch.tensor([-1.0, -1, -1, 0, 1, 1]))
