"""FLARE's hello-log-streaming with fedtail's widgets: two sites in FLARE's simulator, their logs live at the server.

To run it, and to follow a log while it comes in:

    pip install fedtail nvflare==2.9.0
    python job.py --workspace /tmp/hello
    tail -F /tmp/hello/hello-log-streaming/server/simulate_job/live_logs/simulate_job/site-1/log.txt
"""

import argparse
from pathlib import Path

from fedtail.flare import enable_log_streaming
from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe
from nvflare.recipe import SimEnv


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workspace", default="/tmp/hello")
    arguments = parser.parse_args()

    recipe = NumpyFedAvgRecipe(
        name="hello-log-streaming",
        min_clients=arguments.sites,
        num_rounds=arguments.rounds,
        model=[[1, 2, 3], [4, 5, 6], [7, 8, 9]],
        train_script=str(Path(__file__).with_name("client.py")),
    )
    # In place of recipe.enable_log_streaming("log.txt").
    enable_log_streaming(recipe, "log.txt")
    run = recipe.execute(SimEnv(num_clients=arguments.sites, workspace_root=arguments.workspace))
    print(f"the sites' logs are in {run.get_result()}/server/simulate_job/<site>/log.txt")


if __name__ == "__main__":
    main()
