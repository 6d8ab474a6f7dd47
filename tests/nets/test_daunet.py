"""The segmentation network: sizes, folding, gates, heads, and that it learns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from training.packed_phantom import ORGANS, packed_case

from rtseg.data.pack import SHARES
from rtseg.nets import AttentionUNet, DAUNet
from rtseg.nets.daunet import AttentionGate, fold, unfold
from rtseg.segmentation.loss import deep_loss
from rtseg.training import Batch

SMALL = DAUNet(fold=(1, 2, 2), channels=(8, 16, 16), fine_channels=8)


def built(options: DAUNet = SMALL, inputs: int = 2, outputs: int = 3) -> AttentionUNet:
    torch.manual_seed(5)
    return options.build(inputs, outputs)


def image(*size: int) -> Tensor:
    return torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(7))


def test_logits_have_the_size_of_the_image_and_each_level_its_own() -> None:
    net = built()

    assert net(image(8, 16, 24)).shape == (2, 3, 8, 16, 24)
    # fold (1, 2, 2), then one halving: three levels of features, the coarsest without a head
    assert [tuple(level.shape[1:]) for level in net.forward_deep(image(8, 16, 24))] == [
        (3, 8, 16, 24),
        (3, 8, 8, 12),
        (3, 4, 4, 6),
    ]


def test_a_size_that_cannot_be_halved_names_the_next_that_fits() -> None:
    # two halvings of (1, 2, 2): multiples of (4, 8, 8)
    assert SMALL.multiple == (4, 8, 8)
    with pytest.raises(ValueError, match=r"\(6, 16, 9\).*\(8, 16, 16\)"):
        built()(image(6, 16, 9))


def test_folding_puts_each_neighbour_into_its_own_channel() -> None:
    by = (2, 3, 4)
    x = torch.arange(2 * 2 * 4 * 6 * 8, dtype=torch.float32).view(2, 2, 4, 6, 8)
    folded = fold(x, by)

    assert folded.shape == (2, 48, 2, 2, 2)
    for channel, a, b, c in itertools.product(range(2), range(2), range(3), range(4)):
        assert torch.equal(folded[:, ((channel * 2 + a) * 3 + b) * 4 + c], x[:, channel, a::2, b::3, c::4])


def test_unfolding_gives_back_every_voxel() -> None:
    x = torch.randn(2, 3, 4, 6, 8)

    assert torch.equal(unfold(fold(x, (2, 3, 4)), (2, 3, 4)), x)
    assert torch.equal(unfold(fold(x.contiguous(memory_format=torch.channels_last_3d), (2, 2, 2)), (2, 2, 2)), x)


def test_gradient_reaches_every_parameter() -> None:
    net = built()
    torch.stack([(level**2).mean() for level in net.forward_deep(image(8, 16, 16))]).sum().backward()

    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_training_and_use_see_the_same_full_grid() -> None:
    net = built()

    assert torch.equal(net(image(8, 16, 16)), net.forward_deep(image(8, 16, 16))[0])


def test_memory_layout_does_not_change_the_answer() -> None:
    net, x = built(), image(8, 16, 16)
    turned = x.contiguous(memory_format=torch.channels_last_3d)

    assert torch.allclose(net(turned), net(x), atol=1e-5)


def test_every_width_that_is_a_multiple_of_the_groups_can_be_gated() -> None:
    # half of 24 is no multiple of 8: the gate is as wide as the next below
    assert built(DAUNet((1, 2, 2), (24, 40, 8), 8))(image(4, 8, 8)).shape == (2, 3, 4, 8, 8)


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("deep", [True, False])
def test_gates_and_deep_heads_can_be_left_out(attention: bool, deep: bool) -> None:
    net = built(DAUNet((1, 2, 2), (8, 16, 16), 8, attention, deep))
    names = {name.split(".")[0] for name in net.state_dict()}

    assert len(net.forward_deep(image(4, 8, 8))) == (3 if deep else 1)
    assert ("deep_heads" in names) is deep
    assert any(".gate." in name for name in net.state_dict()) is attention


def test_the_last_stage_may_be_a_residual_block() -> None:
    plain, residual = (built(DAUNet((1, 2, 2), (8, 16), 8, fine_residual=chosen)) for chosen in (False, True))
    convolutions = [
        [m for m in net.fine.modules() if isinstance(m, torch.nn.Conv3d) and m.kernel_size == (3, 3, 3)]
        for net in (plain, residual)
    ]

    assert [len(found) for found in convolutions] == [1, 2]
    assert residual(image(4, 8, 8)).shape == plain(image(4, 8, 8)).shape


def test_a_fresh_network_predicts_each_organs_share() -> None:
    net = built()
    net.start_from_frequencies(torch.tensor([0.25, 0.001, 0.0]))
    for head in (net.head, *net.deep_heads):
        torch.nn.init.zeros_(head.weight)

    for level in net.forward_deep(image(4, 8, 8)):
        # an organ of no voxel begins at 1 in 100000: its logit stays finite
        assert torch.allclose(torch.sigmoid(level).mean((0, 2, 3, 4)), torch.tensor([0.25, 0.001, 1e-5]), rtol=1e-3)


def test_attention_gate_is_oktays_formula() -> None:
    torch.manual_seed(3)
    gate = AttentionGate(skip=2, coarse=3).double()
    for p in gate.parameters():
        torch.nn.init.normal_(p)
    skip, coarse = torch.randn(1, 2, 4, 4, 4).double(), torch.randn(1, 3, 2, 2, 2).double()
    w = {name: value.numpy() for name, value in gate.state_dict().items()}

    def normed(x: np.ndarray, name: str) -> np.ndarray:
        # eight groups of one channel each
        spread = np.sqrt(x.var(axis=(1, 2, 3), keepdims=True) + 1e-5)
        scaled = (x - x.mean(axis=(1, 2, 3), keepdims=True)) / spread
        return scaled * w[f"{name}.1.weight"][:, None, None, None] + w[f"{name}.1.bias"][:, None, None, None]

    x, g = skip[0].numpy(), coarse[0].numpy()
    from_skip = normed(np.einsum("oc,cdhw->odhw", w["from_skip.0.weight"][..., 0, 0, 0], x[:, ::2, ::2, ::2]), "from_skip")
    from_coarse = normed(np.einsum("oc,cdhw->odhw", w["from_coarse.0.weight"][..., 0, 0, 0], g), "from_coarse")
    q = np.einsum("c,cdhw->dhw", w["psi.weight"][0, :, 0, 0, 0], np.maximum(from_skip + from_coarse, 0)) + w["psi.bias"][0]
    # twice as many voxels along an axis: their centres lie a quarter of a coarse voxel beside the coarse centres
    up = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    alpha = np.einsum("ai,bj,ck,ijk->abc", up, up, up, 1 / (1 + np.exp(-q)))

    np.testing.assert_allclose(gate(skip, coarse)[0].detach().numpy(), x * alpha, rtol=1e-9)


def test_weights_are_tensors_and_nothing_else() -> None:
    assert all(type(value) is Tensor and value.dtype == torch.float32 for value in built().state_dict().values())


def test_it_learns_two_patients_by_heart() -> None:
    cases = [packed_case((16, 24, 24)), packed_case((16, 24, 24), shift=-0.1)]
    organs = torch.stack([torch.from_numpy(case.organs).float() / SHARES for case in cases])
    hu = torch.stack([torch.from_numpy(case.ct)[None].float() for case in cases])
    batch = Batch(hu, organs, torch.ones_like(organs, dtype=torch.bool))
    net = built(DAUNet(channels=(16, 32), fine_channels=8), inputs=1)
    net.start_from_frequencies(organs.mean((0, 2, 3, 4)))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)

    for _ in range(50):
        optimizer.zero_grad()
        deep_loss(net.forward_deep(hu / 500), batch, torch.ones(len(ORGANS)), torch.tensor(1.0)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    seen, truth = net(hu / 500) > 0, organs >= 0.5
    dice = 2 * (seen & truth).sum((2, 3, 4)) / (seen.sum((2, 3, 4)) + truth.sum((2, 3, 4)))
    assert dice.min() > 0.9
