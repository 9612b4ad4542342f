"""I have a dimod model that has nothing to do with networks: can these solvers solve it?"""

import dimod

import qproj

bqm = dimod.generators.gnp_random_bqm(30, 0.3, "SPIN", random_state=1)
for name in ("auto", "cpsat", "tabu", "sa"):
    solution = qproj.get_solver(name).solve(bqm, seed=0, time_limit_s=2)
    print(f"{name:6} {solution.status:9} energy {solution.objective:.4f}, bound {solution.bound}")

cqm = dimod.ConstrainedQuadraticModel()
x, y = dimod.Integers(["x", "y"])
cqm.set_objective(-3 * x - 2 * y)
cqm.add_constraint(x + y <= 7, label="cap")
cqm.add_constraint(x - y <= 2, label="balance")
print(dict(zip("xy", qproj.get_solver("cpsat").solve(cqm).best.tolist(), strict=True)))
