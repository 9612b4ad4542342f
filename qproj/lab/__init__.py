"""What the command line runs: data sets, studies that compare solvers, training experiments, and their reports."""
