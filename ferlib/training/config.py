"""Settings of a training run; `recipes` has the named ones."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ferlib.data.votes import MODES
from ferlib.errors import FerlibError
from ferlib.models.preprocessing import Preprocessing
from ferlib.models.questions import SEEN_ONLY, check_questions

BALANCES = ("none", "loss", "sampling")

MAX_BLUR = 0.8
"""Largest standard deviation of the blur, in pixels: that of a kernel of three pixels is at most 0.82."""

RETIRED: dict[str, Any] = {"sam": 0.0, "cutmix": 0.0, "patience": 0, "label_smoothing": 0.0}
"""Settings of earlier versions with the value that turned them off; stored settings still name them."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training face; each range is the largest deviation, drawn uniformly.

    Attributes:
        flip: probability of mirroring.
        rotation: degrees to either side.
        scale: 0.15 means a factor from 0.85 to 1.15.
        shift: fraction of the side, horizontally and vertically.
        light: contrast factor from 1 - light to 1 + light, and brightness by half of that range.
        erasing: probability that one rectangle (2 % to 20 % of the area) is replaced by noise.
        blur: standard deviation of a blur in pixels of the image, drawn from 0 to this, at most `MAX_BLUR`.
        grain: standard deviation of the pixels' noise, as a share of white, drawn from 0 to this.
    """

    flip: float = 0.5
    rotation: float = 15.0
    scale: float = 0.15
    shift: float = 0.08
    light: float = 0.3
    erasing: float = 0.25
    blur: float = 0.0
    grain: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run besides the data and the code.

    Attributes:
        model: name for `networks.build_model`.
        width: factor of the number of channels, for `networks.build_model`.
        dropout: probability of dropout before the last layer.
        drop_path: probability of stochastic depth.
        stem: name of a stem of our own, "" for the network's.
        layer_scale: initial layer scale of ConvNeXt's blocks.
        questions: what the network answers (`questions.QUESTION_CLASSES`): ("seen",) learns from the votes, and
            ("seen", "meant") from FER2013's own labels too; an image without one of them teaches the other.
        meant_weight: weight of the loss of "meant"; that of "seen" is 1.
        seen_adjustment: tau of the logit adjustment (Menon et al. 2021) for "seen": training adds tau times the log of
            each class's frequency to its logit, so that the network itself leans less to frequent classes; 0 for none.
        meant_adjustment: the same for "meant".
        frozen_norms: batch norms keep the statistics that training starts with, which is faster; of "faceres".
        pretrained: start from weights learnt elsewhere (`pretrained.load_pretrained`).
        start: name of a checkpoint of the same network whose weights training starts from; "" for none. One that
            answers "seen" alone may start a network of both questions, see `questions.widen_head`.
        soup: names of checkpoints of this network whose mean weights the run is (`soup.make_soup`); nothing is trained.
        head_epochs: with pre-trained weights, epochs in which only new layers learn; they are part of `epochs`.
        layer_decay: learning rate of each layer relative to the next one, above 0 and up to 1; 1 makes all alike.
        mode: FER+ rule for the training targets (`votes.MODES`), or "shares" for those of all votes
            (`votes.share_targets`); validation is always majority.
        clean: leave out copies, leaks and blanks as the manifest says.
        manifest_version: version of the search for copies that the manifest tells of, 1 or 2; see `data.copies`.
        balance: "none"; "loss" gives rare classes more weight in the loss; "sampling" shows them more often.
        balance_power: exponent p of the weight f ** -p of a class of frequency f; 1 makes all classes alike.
        epochs: passes over the training images.
        batch_size: images a step.
        optimizer: "sgd" (Nesterov momentum 0.9) or "adamw".
        peak_lr: highest learning rate of the one-cycle schedule (Smith and Topin 2018): warm-up, then half a cosine.
        warmup: share of the steps in which the rate rises from a tenth of the peak.
        weight_decay: decay of weights of two or more dimensions; biases and norms have none.
        ema_decay: decay of the weights' moving average (`average.WeightAverage`); 0 turns it off.
        mixup: probability that a batch is mixed (Zhang et al. 2018).
        views: number of random views of each image that are drawn once and come back every so many epochs, so that
            each teacher sees each of them once only; 0 draws new ones each epoch.
        mirror_views: mirror the views that come back in every other round; the teachers' logits stay as they were.
        teachers: names of checkpoints to distil from; all see the student's own view.
        distill_weight: share of the teachers in the loss; the votes have the rest.
        distill_temperature: temperature that softens the probabilities of teachers and student.
        calibrate_teachers: divide the logits of each teacher by its own temperature first, which is fitted on valid.
        clip_norm: largest gradient norm; 0 turns clipping off.
        sizes: progressive resolution, (share of the epochs from which it holds, input side in pixels).
        preprocessing: input of the network, stored with its checkpoint.
        augmentation: ranges of the random views.
        seed: seed of order, mixup and dropout; of the first weights, where `pretrained` and `start` give none; and of
            the augmentation, except of views that come back (`views`), which are the same for all seeds.
    """

    model: str = "custom_cnn"
    width: float = 1.0
    dropout: float = 0.3
    drop_path: float = 0.0
    stem: str = ""
    layer_scale: float = 1e-6
    questions: tuple[str, ...] = SEEN_ONLY
    meant_weight: float = 1.0
    seen_adjustment: float = 0.0
    meant_adjustment: float = 0.0
    frozen_norms: bool = False
    pretrained: bool = False
    start: str = ""
    soup: tuple[str, ...] = ()
    head_epochs: int = 0
    layer_decay: float = 1.0
    mode: str = "crossentropy"
    clean: bool = True
    manifest_version: int = 1
    balance: str = "none"
    balance_power: float = 0.5
    epochs: int = 34
    batch_size: int = 128
    optimizer: str = "sgd"
    peak_lr: float = 0.1
    warmup: float = 0.2
    weight_decay: float = 5e-4
    ema_decay: float = 0.999
    mixup: float = 0.0
    views: int = 0
    mirror_views: bool = False
    teachers: tuple[str, ...] = ()
    distill_weight: float = 0.7
    distill_temperature: float = 2.0
    calibrate_teachers: bool = False
    clip_norm: float = 5.0
    sizes: tuple[tuple[float, int], ...] = ((0.0, 40), (0.6, 48))
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "teachers", tuple(self.teachers))
        object.__setattr__(self, "soup", tuple(self.soup))
        object.__setattr__(self, "questions", check_questions(self.questions))
        object.__setattr__(self, "sizes", tuple((float(share), int(size)) for share, size in self.sizes))
        for wrong, sentence in (
            (
                self.mode not in (*MODES, "shares"),
                f"mode must be shares or one of {', '.join(MODES)}, not {self.mode!r}.",
            ),
            (self.optimizer not in ("sgd", "adamw"), f"optimizer must be sgd or adamw, not {self.optimizer!r}."),
            (self.balance not in BALANCES, f"balance must be one of {', '.join(BALANCES)}, not {self.balance!r}."),
            (self.manifest_version not in (1, 2), f"manifest_version must be 1 or 2, not {self.manifest_version}."),
            (min(self.views, self.balance_power) < 0, "views and balance_power are not negative."),
            (self.epochs < 1 or self.batch_size < 2, "epochs must be at least 1 and batch_size at least 2."),
            (
                min(self.meant_weight, self.seen_adjustment, self.meant_adjustment) < 0,
                "meant_weight, seen_adjustment and meant_adjustment are not negative.",
            ),
            (
                self.questions != SEEN_ONLY and (self.balance != "none" or self.mode == "probability"),
                "balance and the mode 'probability' are for the question 'seen' alone; use meant_adjustment.",
            ),
            (self.frozen_norms and self.model != "faceres", f"{self.model} has no frozen norms; leave them out."),
            (not 0 <= self.mixup <= 1, f"mixup is a probability in 0..1, not {self.mixup}."),
            (not 0 < self.layer_decay <= 1, f"layer_decay must lie above 0 and up to 1, not {self.layer_decay}."),
            (not 0 <= self.distill_weight <= 1, f"distill_weight must lie in 0..1, not {self.distill_weight}."),
            (self.pretrained and bool(self.start), "pretrained and start are two different beginnings; leave one out."),
            (
                not 0 <= self.augmentation.blur <= MAX_BLUR,
                f"blur must lie in 0..{MAX_BLUR} pixels, not {self.augmentation.blur}.",
            ),
            (len(self.soup) == 1, "a soup needs at least two checkpoints."),
            (
                bool(self.soup) and bool(self.pretrained or self.start or self.teachers),
                "a soup is not trained; leave out pretrained, start and teachers.",
            ),
            (not self.sizes or self.sizes[0][0] != 0, "sizes must begin with the share 0."),
        ):
            if wrong:
                raise FerlibError(f"training settings: {sentence}")

    def size_at(self, epoch: int) -> int:
        """Return the input side in pixels in an epoch (the first is 0)."""
        return [size for share, size in self.sizes if epoch >= share * self.epochs][-1]

    def model_arguments(self) -> dict:
        """Return the arguments of `networks.build_model`."""
        return {
            "name": self.model, "channels": self.preprocessing.channels, "dropout": self.dropout, "width": self.width,
            "drop_path": self.drop_path, "stem": self.stem, "layer_scale": self.layer_scale,
            **({} if self.questions == SEEN_ONLY else {"questions": list(self.questions)}),
        }  # fmt: skip

    def to_dict(self) -> dict:
        """Return the JSON-ready form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "TrainConfig":
        """Read back what `to_dict` returned, in this version or an earlier one.

        Args:
            values: settings by name; those left out have their default, those in `RETIRED` are dropped when off.

        Raises:
            FerlibError: an unknown key, which it names, or a retired setting that is not off.
        """
        for key in RETIRED.keys() & values.keys():
            if values[key] != RETIRED[key]:
                raise FerlibError(
                    f"training settings: {key} = {values[key]!r} is of an earlier version and not supported any more; "
                    "train with that version, or without the setting."
                )
        values = {key: value for key, value in values.items() if key not in RETIRED}
        for name, kind in (("preprocessing", Preprocessing), ("augmentation", Augmentation)):
            if isinstance(values.get(name), dict):
                values[name] = _build_settings(kind, values[name], f"{name}.")
        return _build_settings(cls, values, "")


def _build_settings(kind, values: dict, prefix: str):
    unknown = sorted(set(values) - {known.name for known in fields(kind)})
    if unknown:
        raise FerlibError(
            f"training settings: unknown key(s) {', '.join(prefix + key for key in unknown)}; remove them."
        )
    return kind(**values)
