"""Two gloo processes: rows and second moments of both count, weights stay identical and equal to one process's."""

import pickle
import tempfile
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.algorithms.join import Join
from torch.nn.parallel import DistributedDataParallel

from qproj.nn import binary_layers
from qproj.optim import QPSBGD, ProjectedQPSBGD, project_grad_
from tests.optim._nets import plain, signs

pytestmark = pytest.mark.slow
ARTICLE = {"projection": "sign", "targets": "outputs"}


def _loss(model, rows):
    x = signs(12, 9)[rows]
    y = torch.where(x[:, :3].sum(1) > 0, 1.0, -1.0)
    return torch.nn.functional.softplus(-y * model(x)[:, 0] / 3).sum()


def _half(model, rank, rows):
    return _loss(model, slice(0, rows) if rank == 0 else slice(rows, 12))


def _weights(model):
    return [p.detach().clone() for p in model.parameters()]


def _grads(model):
    return {name: layer.weight.grad.clone() for name, layer in binary_layers(model).items()}


def sign_projection(rank, rows):
    """Neurons are shared among ranks; no wrapper averages the gradients."""
    model = plain()
    _half(model, rank, rows).backward()
    report = project_grad_(model, "exhaustive", **ARTICLE)
    first = _grads(model)
    optimizer = ProjectedQPSBGD(model, 0.125, "local-search", **ARTICLE)
    for _ in range(3):
        optimizer.zero_grad()
        _half(model, rank, rows).backward()
        optimizer.step()
    return first, {name: report[name].objective for name in report}, _weights(model)


def data_parallel(rank, rows):
    """DistributedDataParallel averages gradients; two passes are accumulated, the first without communication."""
    model = DistributedDataParallel(plain())
    optimizer = QPSBGD(model, 0.125, tau=2.0, refresh=1)
    directions = []
    for _ in range(3):
        optimizer.zero_grad()
        with model.no_sync():
            _half(model, rank, rows).backward()
        _half(model, rank, rows).backward()
        optimizer.step()
        directions.append(_grads(model))
    assert list(binary_layers(model)) == ["0", "2"]
    return directions[0], {}, _weights(model)


def uneven(rank, rows):
    """One rank has two batches more: the other one follows its sums, and ends with its state."""
    model = DistributedDataParallel(plain())
    optimizer = QPSBGD(model, 0.125, refresh=2)
    with Join([model, optimizer.projector]):
        for _ in range(3 + 2 * rank):
            optimizer.zero_grad()
            _half(model, rank, rows).backward()
            optimizer.step()
    states = [tensor.clone() for tensor in optimizer.projector._directions.tensors()]
    return {}, {}, [*_weights(model), *states]


def one_undefined(rank, rows):
    """A NaN on one rank is an error on both."""
    model = plain()
    (_half(model, rank, rows) * (float("nan") if rank else 1.0)).backward()
    with pytest.raises(ValueError, match=r"layer '0' is not finite: the loss diverged; lower the step size"):
        project_grad_(model, error_if_nonfinite=True)
    return {}, {}, _weights(model)


def sharded(rank, rows):
    """Sharded weights are refused by name."""
    from torch.distributed.fsdp import fully_shard

    model = fully_shard(plain())
    with pytest.raises(ValueError, match=r"layer '0' is sharded by fully_shard"):
        QPSBGD(model, 0.1)
    return {}, {}, [torch.zeros(1)]


def _rank(rank, folder, rows, name):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    first, objectives, weights = globals()[name](rank, rows)
    first = {key: value.numpy() for key, value in first.items()}
    Path(folder, f"{rank}.pkl").write_bytes(pickle.dumps((first, objectives, [w.numpy() for w in weights])))
    dist.destroy_process_group()


def _on_two_ranks(name, rows):
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_rank, (folder, rows, name), nprocs=2)
        results = [pickle.loads(Path(folder, f"{rank}.pkl").read_bytes()) for rank in (0, 1)]
    for a, b in zip(results[0][2], results[1][2], strict=True):
        assert (a == b).all()
    return results


@pytest.mark.parametrize("rows", [6, 4])
def test_sign_projections_agree_with_one_process(rows):
    results = _on_two_ranks("sign_projection", rows)
    whole = plain()
    _loss(whole, slice(None)).backward()
    report = project_grad_(whole, "exhaustive", **ARTICLE)
    for name, grad in _grads(whole).items():
        assert (results[0][0][name] == results[1][0][name]).all()
        assert results[0][1][name] == pytest.approx(report[name].objective)
        assert grad.shape == results[0][0][name].shape


@pytest.mark.parametrize("rows", [6, 4])
def test_data_parallel_directions_are_those_of_one_process(rows):
    results = _on_two_ranks("data_parallel", rows)
    whole = plain()
    optimizer = QPSBGD(whole, 0.125, tau=2.0, refresh=1)
    _loss(whole, slice(None)).backward()
    optimizer.step()
    for name, grad in _grads(whole).items():
        assert (results[0][0][name] == grad.numpy()).all()


def test_uneven_batches():
    _on_two_ranks("uneven", 6)


def test_one_rank_without_a_number_stops_both():
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_rank, (folder, 6, "one_undefined"), nprocs=2)


def test_sharded_weights_are_refused():
    _on_two_ranks("sharded", 6)
