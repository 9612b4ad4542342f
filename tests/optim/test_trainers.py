"""Lightning and accelerate take the same steps as a loop written by hand, where the projection has the right hook."""

import logging
import warnings

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientAccumulationPlugin
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from qproj.nn import binary_layers
from qproj.optim import QPSBGD, project_grad_, projector_of
from tests.optim._nets import plain, signs

X = signs(48, 9)
Y = torch.where(X[:, :3].sum(1) > 0, 1.0, -1.0)
BATCH = 12

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning


def _loader():
    return DataLoader(TensorDataset(X, Y), batch_size=BATCH)


def _loss(model, x, y):
    return nn.functional.softplus(-y * model(x)[:, 0] / 3).mean()


def _optimizer(model, own):
    return QPSBGD(model, 0.0625) if own else torch.optim.SGD(model.parameters(), lr=0.0625)


def _by_hand(own, accumulate, clip=None, epochs=4):
    model = plain()
    optimizer = _optimizer(model, own)
    for _ in range(epochs):
        for i, (x, y) in enumerate(_loader()):
            (_loss(model, x, y) / accumulate).backward()
            if (i + 1) % accumulate:
                continue
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            if not own:
                project_grad_(model)
            optimizer.step()
            optimizer.zero_grad()
    return model


def _same(model, other):
    for name, layer in binary_layers(other).items():
        assert torch.equal(binary_layers(model)[name].weight, layer.weight)


class Module(lightning.LightningModule):
    """What a user of Lightning writes: one hook more."""

    def __init__(self, own):
        super().__init__()
        self.model, self.own = plain(), own

    def training_step(self, batch, index):
        return _loss(self.model, *batch)

    def configure_optimizers(self):
        return _optimizer(self.model, self.own)

    def on_before_optimizer_step(self, optimizer):
        if not self.own:
            project_grad_(self.model)


class Clipping(Module):
    """Clipping belongs before the projection, and Lightning clips after ``on_before_optimizer_step``."""

    def on_before_optimizer_step(self, optimizer):
        """Nothing: ``configure_gradient_clipping`` projects."""

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        project_grad_(self.model)


def _fit(module, tmp_path, **options):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    trainer = lightning.Trainer(
        accelerator="cpu", devices=1, max_epochs=4, logger=False, enable_checkpointing=False, default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False, **options,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, _loader())
    return module.model


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("own", [True, False])
def test_lightning_takes_the_steps_of_a_plain_loop(own, accumulate, tmp_path):
    """Four epochs of four batches; with QPSBGD, Lightning hands over a closure, so that τ is chosen if not given."""
    module = Module(own)
    if own:
        module.configure_optimizers = lambda: QPSBGD(module.model, 0.0625, tau=1.0)
    _same(_fit(module, tmp_path, accumulate_grad_batches=accumulate), _by_hand(own, accumulate))


def test_lightning_clips_before_the_projection_in_its_own_hook(tmp_path):
    _same(_fit(Clipping(False), tmp_path, gradient_clip_val=0.1), _by_hand(False, 1, clip=0.1))


def test_lightning_hands_over_a_closure_that_chooses_tau(tmp_path):
    module = Module(True)
    made = []
    module.configure_optimizers = lambda: made.append(QPSBGD(module.model, 0.0625)) or made[0]
    _fit(module, tmp_path)
    assert made[0].look_ahead.looks >= 1


@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("own", [True, False])
def test_accelerate_takes_the_steps_of_a_plain_loop(own, accumulate, precision):
    AcceleratorState._reset_state(reset_partial_state=True)
    plugin = GradientAccumulationPlugin(num_steps=accumulate, sync_with_dataloader=False)
    accelerator = Accelerator(cpu=True, mixed_precision=precision, gradient_accumulation_plugin=plugin)
    model = plain()
    model, optimizer, loader = accelerator.prepare(model, _optimizer(model, own), _loader())
    projections = 0
    for _ in range(4):
        for x, y in loader:
            with accelerator.accumulate(model):
                accelerator.backward(_loss(model, x, y))
                if accelerator.sync_gradients and not own:
                    project_grad_(model)
                    projections += 1
                optimizer.step()
                optimizer.zero_grad()
    trained = accelerator.unwrap_model(model)
    if precision == "no":
        _same(trained, _by_hand(own, accumulate))
    if not own:
        assert projections == projector_of(model).step == 16 // accumulate
    assert all(torch.isfinite(p).all() for p in trained.parameters())
    AcceleratorState._reset_state(reset_partial_state=True)
