"""Each Triton kernel beside what it stands for in plain torch: on a GPU where there is one, else in Triton's interpreter."""

import os
import sys

import torch

GPU = torch.cuda.is_available()
if not GPU:
    os.environ["TRITON_INTERPRET"] = "1"

from rig import documents, relative  # noqa: E402

import attention  # noqa: E402
import dense  # noqa: E402
import experts  # noqa: E402
import loss  # noqa: E402
import mxfp4  # noqa: E402
import norm  # noqa: E402
import rope  # noqa: E402
import routing  # noqa: E402
from kernels import attention as k_attention  # noqa: E402
from kernels import dense as k_dense  # noqa: E402
from kernels import experts as k_experts  # noqa: E402
from kernels import experts8 as k_experts8  # noqa: E402
from kernels import loss as k_loss  # noqa: E402
from kernels import mxfp4 as k_mxfp4  # noqa: E402
from kernels import norm as k_norm  # noqa: E402
from kernels import rope as k_rope  # noqa: E402
from kernels import routing as k_routing  # noqa: E402
from packing import pack  # noqa: E402

DEVICE = torch.device("cuda" if GPU else "cpu")
CPU = torch.device("cpu")
# Of three bits of mantissa; the interpreter cuts where the GPU rounds.
ROUNDING = 0.03 if GPU else 0.12


class Config:
    limit, alpha = 1.5, 1.702


def on(value):
    return value.to(DEVICE)


def close(ours, theirs, most=1e-5):
    error = relative(ours.detach().cpu().double(), theirs.detach().cpu().double())
    assert error < most, f"differs by {error}"


def test_norm_and_its_gradient():
    torch.manual_seed(0)
    x, y, g, r, w = torch.randn(7, 48), torch.randn(7, 48), torch.randn(7, 48), torch.randn(7, 48), torch.randn(48)
    out, k_out = torch.empty(7, 48), on(torch.empty(7, 52))[:, :48]
    total = norm.add_norm(x, y, w, 1e-5, out)
    wide = on(torch.cat((y, y), 1))[:, :48]
    k_total = k_norm.norm_forward(on(x), wide, on(w), 1e-5, k_out)
    close(k_total, total), close(k_out, out)
    expected = norm.norm_backward(g, x, w, 1e-5, r, torch.empty_like(x))
    room = on(torch.empty(7, 64))[:, :48]
    close(k_norm.norm_backward(on(g), on(x), on(w), 1e-5, on(r), room), expected)


def test_turn_and_back():
    torch.manual_seed(0)
    x = torch.randn(9, 100)
    heads = x[:, :96].unflatten(1, (3, 32))
    cos, sin = torch.randn(20, 16), torch.randn(20, 16)
    positions = torch.randint(0, 20, (9,), dtype=torch.int32)
    for back in (False, True):
        ours = on(x.clone())
        k_rope.turn_heads(ours[:, :96].unflatten(1, (3, 32)), on(cos), on(sin), on(positions), back)
        theirs = heads.clone()
        rope.turn(theirs, cos, sin, positions, back)
        close(ours[:, :96], theirs.flatten(1))
        close(ours[:, 96:], x[:, 96:])


def random_routes(tokens, total, choices, columns):
    logits = torch.randn(tokens, total)
    return logits, routing.route(logits, choices)


def same_routes(tokens=150, total=8, choices=3):
    torch.manual_seed(1)
    logits, theirs = random_routes(tokens, total, choices, 0)
    return theirs, routing.Routes(*k_routing.route_forward(on(logits), choices))


def test_routing_is_a_sort_by_expert():
    for total, choices in ((8, 3), (32, 4), (24, 4)):
        theirs, ours = same_routes(total=total, choices=choices)
        assert torch.equal(ours.experts.cpu().long(), theirs.experts)
        assert torch.equal(ours.ends.cpu(), theirs.ends)
        close(ours.weights, theirs.weights)
        places = ours.places.cpu().long()
        assert torch.equal(places.flatten().sort().values, torch.arange(places.numel()))
        assert torch.equal(
            ours.row_token.cpu().long()[places], torch.arange(places.shape[0])[:, None].expand(places.shape)
        )
        assert torch.equal(ours.row_expert.cpu().long()[places], theirs.experts)
        assert torch.equal(ours.row_expert.cpu().long(), theirs.row_expert)
        close(ours.row_weight.cpu()[places], theirs.weights)


def test_routing_backward():
    theirs, ours = same_routes()
    gain, bias = torch.randn(theirs.row_token.shape[0]), torch.randn(150, 8)
    expected = routing.route_backward(theirs, gain, bias, torch.float32)
    moved = torch.empty_like(gain)
    moved[ours.places.cpu().long().flatten()] = gain[theirs.places.flatten()]
    close(k_routing.route_backward(ours, on(moved), on(bias), torch.float32), expected)


def test_rows_of_experts():
    theirs, ours = same_routes()
    tokens, columns = 150, 1440
    ordered = torch.empty(theirs.places.numel(), dtype=torch.long)
    ordered[ours.places.cpu().long().flatten()] = theirs.places.flatten()
    x, stream = torch.randn(tokens, columns), torch.randn(tokens, columns)
    bias = torch.randn(8, columns)
    close(k_experts.gather_rows(on(x), ours.places), experts.gather(x, theirs)[ordered])
    y = torch.randn(tokens * 3, columns)
    other, w, room = torch.randn(tokens, columns), torch.randn(columns), torch.empty(tokens, columns)
    expected = norm.sum_norm_backward(y, theirs.places, other, x, w, 1e-5, stream, room)
    close(
        k_norm.sum_norm_backward(
            on(y[ordered]), ours.places, on(other), on(x), on(w), 1e-5, on(stream), on(torch.empty_like(x))
        ),
        expected,
    )
    close(k_experts.combine_rows(on(stream), on(y[ordered]), on(bias), ours), experts.combine(stream, y, bias, theirs))
    h, wide, da = torch.randn(tokens * 3, 2 * columns), torch.randn(8, 2 * columns), torch.randn(tokens * 3, columns)
    a = k_experts.activate_rows(on(h[ordered]), on(wide), ours.row_expert, Config.limit, Config.alpha)
    close(a, experts.activate(h, wide, theirs.row_expert, Config)[ordered])
    k_dh, k_gain = k_experts.activate_rows_backward(
        on(h[ordered].clone()), on(wide), ours, on(da[ordered]), Config.limit, Config.alpha
    )
    dh, gain = experts.activate_backward(h.clone(), wide, theirs, da, Config)
    close(k_dh, dh[ordered]), close(k_gain, gain[ordered])
    # In bfloat16 pairs are read as words: the same numbers, rounded.
    half = [on(t.bfloat16()) for t in (h[ordered], wide, da[ordered])]
    close(k_experts.activate_rows(half[0], half[1], ours.row_expert, Config.limit, Config.alpha), a, 1e-2)
    k_dh, k_gain = k_experts.activate_rows_backward(half[0], half[1], ours, half[2], Config.limit, Config.alpha)
    close(k_gain, gain[ordered], 1e-2)
    # A clamp cuts a rounded number or not: few differ wholly.
    assert ((k_dh.float().cpu() - dh[ordered]).abs() > 0.03 * dh.abs().max()).float().mean() < 0.005


def test_rows_of_experts_in_float8():
    theirs, ours = same_routes()
    # Wide enough that a thread has several numbers: they are rounded and stored together.
    tokens, columns = 150, 1440
    ordered = torch.empty(theirs.places.numel(), dtype=torch.long)
    ordered[ours.places.cpu().long().flatten()] = theirs.places.flatten()
    x = torch.randn(tokens, columns)
    whole = lambda rounded: rounded[0].cpu().float() * rounded[1].cpu()[:, None]  # noqa: E731
    rounded = k_experts8.round_rows(on(torch.cat((x, x), 1))[:, :columns])
    close(whole(rounded), x, ROUNDING)
    close(whole(k_experts8.gather_rounded(*rounded, ours)), whole(rounded)[theirs.row_token][ordered], 1e-6)
    h, wide, da = torch.randn(tokens * 3, 2 * columns), torch.randn(8, 2 * columns), torch.randn(tokens * 3, columns)
    a = k_experts8.activate_rounded(on(h[ordered]), on(wide), ours.row_expert, Config.limit, Config.alpha)
    close(whole(a), experts.activate(h, wide, theirs.row_expert, Config)[ordered], ROUNDING)
    dh, scales, k_gain = k_experts8.activate_backward_rounded(
        on(h[ordered]), on(wide), ours, on(da[ordered]), Config.limit, Config.alpha
    )
    expected, gain = experts.activate_backward(h.clone(), wide, theirs, da, Config)
    close(whole((dh, scales)), expected[ordered], ROUNDING), close(k_gain, gain[ordered])


def test_gated_block():
    torch.manual_seed(0)
    h, da = torch.randn(5, 80), torch.randn(5, 40)
    close(k_dense.activate_rows(on(h), on(torch.empty(5, 44))[:, :40]), dense.activate(h, torch.empty(5, 40)))
    expected = dense.activate_backward(h, da, torch.empty(5, 80))
    close(k_dense.activate_rows_backward(on(h), on(da), on(torch.empty(5, 96))[:, :80]), expected)


def test_softmax_minus_one_hot():
    torch.manual_seed(0)
    logits, labels = 4 * torch.randn(6, 9001), torch.randint(0, 9001, (6,))
    ours, theirs = on(logits.clone()), logits.clone()
    close(k_loss.softmax_minus_one_hot(ours, on(labels)), loss.softmax_minus_one_hot(theirs, labels))
    close(ours, theirs)


def test_mxfp4():
    torch.manual_seed(0)
    blocks = torch.randint(0, 256, (3, 11, 5, 16), dtype=torch.uint8)
    scales = torch.randint(100, 140, (3, 11, 5), dtype=torch.uint8)
    assert torch.equal(
        k_mxfp4.unpack_blocks(on(blocks), on(scales), torch.float32).cpu(), mxfp4.unpack(blocks, scales, torch.float32)
    )


def check_attention(dim, window, sinks, lengths, heads=4, kv_heads=2):
    torch.manual_seed(3)
    packed, moved = pack(documents(lengths), CPU), pack(documents(lengths), DEVICE)
    tokens = sum(lengths)
    qkv = torch.randn(tokens, (heads + 2 * kv_heads) * dim + 8)
    g = torch.randn(tokens, heads, dim)
    sink = torch.randn(heads) if sinks else None
    split = lambda t: [
        p.unflatten(1, (-1, dim)) for p in t[:, :-8].split([heads * dim, kv_heads * dim, kv_heads * dim], 1)
    ]  # noqa: E731
    q, k, v = split(qkv)
    out = torch.empty(q.shape)
    lse = attention.attention(q, k, v, sink, window, packed, out)
    k_out = torch.full((tokens, heads, dim), torch.nan, device=DEVICE)
    k_lse = k_attention.attention_forward(
        *split(on(qkv)), None if sink is None else on(sink), window, moved.blocks, k_out
    )
    # The matrix units' float32 is TF32.
    most = 6e-3 if GPU else 1e-5
    close(k_out, out, most), close(k_lse, lse, most)
    into, k_into = torch.full_like(qkv, torch.nan), torch.full_like(on(qkv), torch.nan)
    attention.attention_backward(g, q, k, v, out, lse, window, packed, split(into))
    k_attention.attention_backward(on(g), *split(on(qkv)), on(out), on(lse), window, moved.blocks, split(k_into))
    for ours, theirs in zip(split(k_into), split(into), strict=True):
        close(ours, theirs, most)


def test_attention_over_packed_rows():
    check_attention(16, 0, False, [130, 1, 300, 17])


def test_attention_with_sinks():
    check_attention(32, 0, True, [129, 2, 64])


def test_attention_with_a_window_and_sinks():
    check_attention(16, 40, True, [200, 7, 131])
    check_attention(16, 128, True, [300, 128])


def test_attention_without_shared_keys():
    check_attention(16, 0, False, [70], heads=2, kv_heads=2)


if __name__ == "__main__":
    sys.exit("run.py runs these")
