"""Triton kernels of the trainer; beside each stands what it computes in plain torch, in the module that calls it."""
