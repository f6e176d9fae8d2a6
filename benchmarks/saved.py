"""A compiled model in a folder, as IREE's command-line tools take it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import pyipu


def save_with_inputs(executable: pyipu.Executable, inputs: Mapping[str, np.ndarray], folder: Path) -> list[str]:
    """Writes the model and its inputs into `folder`; returns the options with which a tool runs it on them."""
    model = folder / "saved"
    executable.save(model)
    options = [f"--module={model / 'module.vmfb'}", f"--parameters=model={model / 'weights.irpa'}", "--function=main"]
    for position, tensor in enumerate(executable.inputs):
        np.save(folder / f"{position}.npy", inputs[tensor.name])
        options.append(f"--input=@{folder / f'{position}.npy'}")
    return [*options, "--device=local-task", f"--task_topology_group_count={executable.threads}"]
