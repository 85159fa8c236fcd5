"""Model soups: mean weights of networks that were fine-tuned from the same start.

Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without
increasing inference time". Such networks lie in one valley of the loss, and its middle is better than its sides.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.networks import build_model
from ferlib.training.batches import TrainingSet, adjustment_offsets
from ferlib.training.config import TrainConfig
from ferlib.training.run_files import CHECKPOINT, saved_run, write_history
from ferlib.training.validation import valid_scores


def average_weights(members: Sequence[Checkpoint]) -> dict[str, torch.Tensor]:
    """Average the weights and running statistics of checkpoints of one network.

    Args:
        members: the checkpoints.

    Returns:
        The mean state dict; counters are those of the first member.

    Raises:
        FerlibError: the members are of different networks.
    """
    states = [member.model.state_dict() for member in members]
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    for member, shape in zip(members, shapes, strict=True):
        if shape != shapes[0]:
            raise FerlibError(
                f"{member.name!r} is another network than {members[0].name!r}; a soup needs the same one."
            )
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if value.is_floating_point() else value.clone()
        for name, value in states[0].items()
    }


def make_soup(config: TrainConfig, data: TrainingSet, run: Path, members: Sequence[Checkpoint], commit: str) -> dict:
    """Average checkpoints, score the mean on valid and leave it as a run.

    The run has the files that `loop.fit` leaves, with a history of one row; nothing is trained, so the loss on the
    training images is NaN. A soup that is there already stays as it is.

    Args:
        config: settings; `soup` names the members.
        data: images and targets from `batches.prepare`.
        run: folder of the run; it is made when missing.
        members: the checkpoints that `config.soup` names, in that order.
        commit: commit of the code.

    Returns:
        The same entries as `loop.fit`.

    Raises:
        ValueError: other members than the settings name.
        FerlibError: the members are of different networks, or the folder holds another run.
    """
    if tuple(member.name for member in members) != config.soup:
        raise ValueError(f"the settings ask for the checkpoints {config.soup}")
    offsets = adjustment_offsets(config, data.targets).tolist()
    saved = saved_run(run, config, data.content_hash)
    if saved is not None:
        return {**saved["best"], "history": saved["history"], "commits": saved["commits"], "logit_offsets": offsets}
    start = time.perf_counter()
    state = average_weights(members)
    model = build_model(**config.model_arguments())
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise FerlibError(f"the checkpoints of the soup are of another network than {config.model!r}.") from error
    scores = valid_scores(model.to(memory_format=torch.channels_last), data, config.preprocessing)
    row = {
        "epoch": 1, "size": config.preprocessing.size, "lr": 0.0, "train_loss": float("nan"),
        "valid_loss": scores.loss, "valid_accuracy": scores.accuracy, "seconds": time.perf_counter() - start,
        **scores.meant_entry(),
    }  # fmt: skip
    best = {"epoch": 1, "valid_accuracy": scores.accuracy, "state": state}
    run.mkdir(parents=True, exist_ok=True)
    write_history(run, [row])
    with atomic_path(run / CHECKPOINT) as temporary:
        about = {"config": config.to_dict(), "data": data.content_hash, "history": [row], "commits": [commit]}
        torch.save({**about, "best": best}, temporary)
    return {**best, "history": [row], "commits": [commit], "logit_offsets": offsets}
