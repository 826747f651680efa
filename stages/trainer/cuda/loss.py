"""Cross-entropy on trained tokens only, in chunks, so that the logits of a whole run never exist; gradient in the same pass."""

import torch

# Rows of logits at a time on a GPU; each is as wide as the vocabulary.
CHUNK = 2048


def cross_entropy(
    hidden: torch.Tensor, head: torch.Tensor, labels: torch.Tensor, need: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Loss of each row in float32, and (where there is `need`) the gradient of their sum by `hidden`."""
    losses = torch.empty(labels.shape, dtype=torch.float32, device=hidden.device)
    gradient = torch.empty_like(hidden) if need else None
    for start in range(0, labels.shape[0], CHUNK):
        part = slice(start, start + CHUNK)
        logits = torch.mm(hidden[part], head.t())
        losses[part] = softmax_minus_one_hot(logits, labels[part])
        if need:
            torch.mm(logits, head, out=gradient[part])
    return losses, gradient


def softmax_minus_one_hot(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Turns logits into their gradient in place; returns the losses."""
    if logits.is_cuda:
        from kernels.loss import softmax_minus_one_hot as kernel

        return kernel(logits, labels)
    rows = torch.arange(labels.shape[0])
    values = logits.float()
    total = torch.logsumexp(values, -1)
    losses = total - values[rows, labels]
    values = torch.exp(values - total[:, None])
    values[rows, labels] -= 1
    logits.copy_(values)
    return losses
