"""The words of docs/results.md."""

from __future__ import annotations

INTRODUCTION = """# Training results

Written by `python -m benchmarks.results` (`make results`) from the stored runs in `benchmarks/results/training/`; not
edited by hand. QP-SBGD takes the curvature projection where tuning chose it; every baseline was tuned by as many trials
on validation rows, and no test row was read before the settings were fixed
([how they were chosen](#how-settings-were-chosen)). "Ahead" and "behind": by more than two standard errors of the
difference; "level": within them.

![QP-SBGD's accuracy minus the best baseline's, row by row, ± two standard errors](_static/results-at-a-glance.svg)
"""

SECTIONS = {
    "table": """## All rows

Mean test accuracy of five or ten seeds ± their standard deviation, of the weights after the last step; every weight of
a binary layer is ±1 when accuracy is measured. All optimisers of a row share architecture, batches, epochs, features,
loss and the schedule of the step size. "Plain method" is QP-SBGD as arXiv 2310.15128 states it, on the same network
and batches: the sign projection from the targets of the outputs, a fixed step size of 0.01, no momentum (`--preset
paper`). "Paper" is what that article reports for QP-SBGD; "target" is what this project aimed at. The best mean of
the tuned optimisers is bold; the plain method can be better. The projected version of QP-SBGD reads the same settings
and takes the same steps until a weight reaches the edge of the box; it has no column of its own.
""",
    "targets": "## Targets\n",
    "cost": """## What a step costs

Milliseconds per step, evaluation included: the median over seeds, one thread of a machine that others used at the same
time.

![Test accuracy against seconds of training for six rows](_static/accuracy-against-time.svg)
""",
    "published": """## As published

The settings of the article's released notebooks: accuracy there is taken on the batch just stepped on. The mean of the
last ten steps, five seeds, beside the accuracy of the same runs on test rows.
""",
    "steps": """## Step size

Every optimiser as tuned, with its step size multiplied by the factor given: `mnist-1-2`, one epoch, mean of two seeds.

![Accuracy against step size for all optimisers](_static/step-size.svg)
""",
    "ablation": """## One option at a time

QP-SBGD as tuned, with one option changed; mean of two seeds ± standard deviation, `mnist-1-2` for one epoch. A row that
repeats the tuned value repeats the first row.
""",
    "confirmation": """## Seeds that nobody used

The headline rows once more with seeds 2026 and 2027, run once at the end; beside the best baseline of the row.
""",
    "solvers": """## What a worse projection costs

`adult-2layer`, projected QP-SBGD with the plain sign projection, each solver with its defaults, three seeds. In every
fifth step each layer was solved exactly too: the gap is the gain that was lost against the proved optimum, over 2 Σ|t|.
`random` is the null model. The same for any experiment: `qproj train NAME --compare-solvers cpsat,sa,random`.
""",
    "curvature-solvers": """The same network with the curvature projection, τ = 4; the gap is that to each solver's own
bound, which annealers do not have: theirs is to the spectral bound.
""",
    "functions": """## Functions of latent weights

Every optimiser was tuned on other starts and other noise, with as many trials. "second-order" takes the function's own
second derivatives; all others see noisy gradients alone, one per step. Without a second moment the curvature projection
is sign(h): on functions QP-SBGD takes the steps of signSGD with momentum, and with equal settings has its figures.
""",
    "trials": """## How settings were chosen

The grid of `qproj.lab.training.tuning`, with as many trials for every optimiser, seeds from 1000 on; the highest
accuracy on validation rows after the last step wins, among equals the one that was higher on the way. The karate club
has no labels to spare: there trials run on random graphs with planted groups of its size. Rows share settings that were
found on one of them: the pairs of MNIST digits on `mnist-1-2`, few images per class on `mnist-fewshot-10`, the long run
on `mnist-10`.
""",
}

COMMANDS = """## Commands

A row of the first table, with curves and weights, the plain method, and the trials:

```console
$ qproj train mnist-1-2 --seeds 5
$ qproj train mnist-1-2 --seeds 5 --optimizers qpsbgd --preset paper
$ qproj train mnist-1-2 --seeds 5 --tune
```

Everything on this page; runs that are stored are not done again:

```console
$ python -m benchmarks.results --tune
$ python -m benchmarks.results --run
$ python -m benchmarks.results --studies
$ python -m benchmarks.results
```

## Where this comes from
"""
