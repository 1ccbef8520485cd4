"""The search: which trial to run next, the proposals of Optuna, costs, plan and progress."""
