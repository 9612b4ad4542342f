"""The words of docs/results.md."""

from __future__ import annotations

INTRODUCTION = """# Training results

Written by `python -m benchmarks.results` (`make results`) from the stored runs in `benchmarks/results/training/`; not
edited by hand. Each cell is the mean test accuracy of five seeds ± their standard deviation, of the weights after the
last step; every weight is ±1 when accuracy is measured. All five optimisers of a row share architecture, batches,
epochs, features, loss and the schedule of the step size; each had the same number of trials on validation rows, and no
test row was read before the settings were fixed ([how they were chosen](#how-settings-were-chosen)).

"Plain method" is QP-SBGD as arXiv 2310.15128 states it, on the same network and batches: the sign projection, a fixed
step size of 0.01, no momentum (`--preset paper`). "Paper" is what that article reports for QP-SBGD; "target" is what
this project aimed at. Rows called `thresholds` add one learned float a neuron; all others have no float parameters.
The best mean of the five tuned optimisers is bold in each row; the plain method can be better.
"""

SECTIONS = {
    "targets": "## Targets\n\nThe better of QP-SBGD and its projected version.\n",
    "baselines": """## Against the tuned baselines

The better of the two QP-SBGD versions against the best of BinaryConnect, signSGD and ProxQuant, all tuned. "Level": the
difference is within two standard errors.
""",
    "steps": """## Step size

Every optimiser as tuned, with its step size multiplied by the factor given: `mnist-1-2`, one epoch, mean of two
seeds.

![Accuracy against step size for five optimisers](_static/step-size.svg)
""",
    "ablation": """## One option at a time

Projected QP-SBGD as tuned, with one option changed; mean of three seeds ± standard deviation. A row that repeats the
tuned value repeats the first row.
""",
    "solvers": """## What a worse projection costs

`adult-2layer`, projected QP-SBGD with the plain sign projection, each solver with its defaults, three seeds. In every
fifth step each layer was solved exactly too: the gap is the gain that was lost against the proved optimum, over 2 Σ|t|.
`random` is the null model. The same for any experiment: `qproj train NAME --compare-solvers cpsat,sa,random`.
""",
    "functions": "## Functions of latent weights\n",
    "trials": """## How settings were chosen

The grid of `qproj.lab.training.tuning`, with as many trials for every optimiser, seeds from 1000 on; the highest
accuracy on validation rows after the last step wins, among equals the one that was higher on the way. The karate club
has no labels to spare: there trials run on random graphs with planted groups of its size. The pairs of MNIST digits
share the settings found on one of them.
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
