"""Products of rows sorted by group with one matrix a group."""

import torch


def grouped(rows: torch.Tensor, matrices: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """rows [n, inputs], matrices [groups, inputs, outputs], `ends` of each group's rows: [n, outputs]."""
    # The fast product wants rows of 16 bytes; only ranks below 8 are narrower.
    if rows.is_cuda and rows.dtype == torch.bfloat16 and rows.shape[1] % 8 == 0 and matrices.shape[2] % 8 == 0:
        return torch._grouped_mm(rows, matrices, offs=ends)
    out = rows.new_empty(rows.shape[0], matrices.shape[2])
    for group, part in _parts(ends):
        torch.mm(rows[part], matrices[group], out=out[part])
    return out


def grouped_outer(left: torch.Tensor, right: torch.Tensor, ends: torch.Tensor, groups: int) -> torch.Tensor:
    """Of each group, left^T @ right over its rows: [groups, left columns, right columns] in float32."""
    out = torch.zeros(groups, left.shape[1], right.shape[1], dtype=torch.float32, device=left.device)
    for group, part in _parts(ends):
        out[group] = left[part].t() @ right[part]
    return out


def _parts(ends: torch.Tensor):
    start = 0
    for group, end in enumerate(ends.tolist()):
        yield group, slice(start, end)
        start = end
