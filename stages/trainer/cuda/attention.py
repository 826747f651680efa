"""
Causal attention over packed rows, with sliding windows and frozen sinks.

A sink is one more logit of each head that takes weight and gives nothing. With the log-sum-exp that counts it, the
backward pass is that of ordinary attention: P = exp(S - lse), dS = P * (dP - rowsum(dO * O)).
"""

import torch

from packing import Pack


def attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    sinks: torch.Tensor | None,
    window: int,
    pack: Pack,
    out: torch.Tensor,
) -> torch.Tensor:
    """q and `out` [tokens, heads, dim], k and v [tokens, kv heads, dim]; `window` 0: all. Returns lse [heads, tokens]."""
    if q.is_cuda:
        from kernels.attention import attention_forward

        return attention_forward(q, k, v, sinks, window, pack.blocks, out)
    lse = torch.empty(q.shape[1], q.shape[0], dtype=torch.float32)
    for part in _rows(pack):
        scores, _, value = _scores(q[part], k[part], v[part], window)
        total = torch.logsumexp(scores, -1)
        if sinks is not None:
            total = torch.logaddexp(total, sinks.float()[:, None])
        out[part] = (torch.exp(scores - total[..., None]) @ value).transpose(0, 1).to(q.dtype)
        lse[:, part] = total
    return lse


def attention_backward(
    gradient: torch.Tensor,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
    window: int,
    pack: Pack,
    into: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    """Writes the gradients of q, k and v to the three tensors of `into`."""
    if q.is_cuda:
        from kernels.attention import attention_backward as kernel

        kernel(gradient, q, k, v, out, lse, window, pack.blocks, into)
        return
    kv_heads, dim = k.shape[1:]
    for part in _rows(pack):
        scores, key, value = _scores(q[part], k[part], v[part], window)
        p = torch.exp(scores - lse[:, part, None])
        g = gradient[part].transpose(0, 1).float()
        inner = (g * out[part].transpose(0, 1).float()).sum(-1, keepdim=True)
        ds = p * (g @ value.transpose(1, 2) - inner) * dim**-0.5
        dq = ds @ key
        dk = ds.transpose(1, 2) @ q[part].transpose(0, 1).float()
        dv = p.transpose(1, 2) @ g
        into[0][part] = dq.transpose(0, 1).to(q.dtype)
        for target, value in ((into[1], dk), (into[2], dv)):
            grouped = value.unflatten(0, (kv_heads, -1)).sum(1)
            target[part] = grouped.transpose(0, 1).to(q.dtype)


def _rows(pack: Pack):
    at = 0
    for length in pack.lengths:
        yield slice(at, at + length)
        at += length


def _scores(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, window: int):
    """Masked logits [heads, n, n] of one row in float32, and its keys and values for each query head."""
    group = q.shape[1] // k.shape[1]
    key, value = (t.transpose(0, 1).float().repeat_interleave(group, 0) for t in (k, v))
    scores = q.transpose(0, 1).float() @ key.transpose(1, 2) * q.shape[2] ** -0.5
    place = torch.arange(q.shape[0])
    back = place[:, None] - place[None]
    hidden = back < 0
    if window:
        hidden |= back >= window
    return scores.masked_fill(hidden, -torch.inf), key, value
