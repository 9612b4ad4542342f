"""Built-in solvers: one file each; names are found through :func:`qproj.get_solver`."""
