"""The words of docs/results.md."""

from __future__ import annotations

INTRODUCTION = """# Training results

Written by `python -m benchmarks.results` (`make results`) from the stored runs in `benchmarks/results/training/`; not
edited by hand. QP-SBGD takes the curvature projection where tuning chose it; every baseline was tuned by as many trials
on validation rows, and no trial read a test row ([how settings were chosen](#how-settings-were-chosen)). How trials of
graphs are made was changed once, after results were known ([why](#what-is-ahead-level-and-behind-and-why)). "Ahead"
and "behind": by more than two standard errors of the difference; "level": within them. Where a seed draws the few
training images, differences are taken seed by seed.

![QP-SBGD's accuracy minus the best baseline's, row by row, ± two standard errors](_static/results-at-a-glance.svg)
"""

SECTIONS = {
    "table": """## All rows

Mean test accuracy of five, ten or twenty seeds (fewer where the cell says so) ± their standard deviation, of the
weights after the last step; every weight of a binary layer is ±1 when accuracy is measured. All optimisers of a row
share architecture, batches, epochs, features, loss and the schedule of the step size. "Plain method" is QP-SBGD as
arXiv 2310.15128 states it, on the same network and batches: the sign projection from the targets of the outputs, a
fixed step size of 0.01, no momentum (`--preset paper`). "Paper" is what that article reports for QP-SBGD; "target" is
what this project aimed at. The best mean of the tuned optimisers is bold; the plain method can be better. The projected
version of QP-SBGD reads the same settings and takes the same steps until a weight reaches the edge of the box; it has
no column of its own.
""",
    "targets": "## Targets\n",
    "cost": """## What a step costs

Milliseconds per step, evaluation included, on one thread: the least over the seeds of a row, because others used the
machine at the same time. A step takes one gradient for every optimiser; `tau=auto` of QP-SBGD takes further forward
passes now and then. The figures show the means over seeds on the way, with the seconds as they were.

![Test accuracy against seconds of training for all rows](_static/accuracy-against-time.svg)

![Test accuracy against gradients for all rows](_static/accuracy-against-gradients.svg)
""",
    "published": """## As published

The settings of the article's released notebooks: accuracy there is taken on the batch just stepped on, for 20 steps;
for the ten layers the training loss is shown (its 83 steps are more than the 64 of two epochs of 32 batches, which are
all drawn). Both are smoothed (σ = 1). Beside them stands the accuracy of the same runs on test rows. The table has the
means of the last ten steps.

![The curves of the article's notebooks beside the accuracy of the same runs on test rows](_static/as-published.svg)
""",
    "steps": """## Step size

Every optimiser as tuned, with its step size multiplied by the factor given: one epoch, mean of two seeds. The span is
that of the longest unbroken row of step sizes with at least .95 of the best accuracy in the table.

![Accuracy against step size for all optimisers](_static/step-size.svg)
""",
    "ablation": """## One option at a time

QP-SBGD as tuned, with one option changed; mean of two seeds ± standard deviation, `mnist-1-2` for one epoch. A row that
repeats the tuned value repeats the first row.
""",
    "confirmation": """## Seeds that nobody used

The headline rows once more with seeds 2026 and 2027, run once at the end; beside the best baseline of the row. `cora`,
`pubmed` and `karate` had been run on them once before, with their former settings.
""",
    "splits": """## Graphs on further splits

The tuned optimisers on ten splits that no trial had: 20 labelled nodes per class and 500 validation nodes, drawn from
the nodes that are not test nodes; accuracy on those validation nodes. All optimisers have the same splits, so the
difference is taken split by split; ± is its standard error.
""",
    "solvers": """## What a worse projection costs

`adult-2layer`, projected QP-SBGD with the plain sign projection, each solver with its defaults, three seeds. In every
fifth step each layer was solved exactly too: the gap is the gain that was lost against the proved optimum, over 2 Σ|t|.
`random` is the null model. The same for any experiment: `qproj train NAME --compare-solvers cpsat,sa,random`.
""",
    "curvature-solvers": """The same network with the curvature projection, τ = 4. The gap, where it was measured, is
what the model's value lost against the exact optimum of every fifth step, over its range as in `Solution.gap`.
""",
    "functions": """## Functions of latent weights

Every optimiser was tuned on other starts and other noise, with as many trials. "second-order" takes the function's own
second derivatives; all others see noisy gradients alone, one per step. Without a second moment the curvature projection
is sign(h): on functions QP-SBGD takes the steps of signSGD with momentum, and with equal settings has its figures.
""",
    "trials": """## How settings were chosen

The grid of `qproj.lab.training.tuning`, with as many trials for every optimiser, seeds from 1000 on; the highest mean
accuracy on validation rows after the last step wins, among equals the one that was higher on the way. On `cora` and
`pubmed` every seed draws 20 labelled nodes per class and 500 validation nodes of its own among those that are no test
nodes, as Shchur et al. (arXiv 1811.05868) advise; the public split serves for the results alone. The karate club has no
labels to spare: there trials run on random graphs with planted groups of its sizes and with its degrees. Trials of the
long row have five epochs. Rows share settings that were found on one of them: the pairs of MNIST digits on `mnist-1-2`,
few images per class on `mnist-fewshot-10`, convolutions on `conv-digits`.
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
