"""What a site does in each round: it adds one to each weight, and says so in its log."""

import nvflare.client as flare
from nvflare.app_common.np.constants import NPConstants


def main() -> None:
    flare.init()
    site = flare.system_info()["site_name"]
    while flare.is_running():
        model = flare.receive()
        print(f"{site}: round {model.current_round} begins")
        weights = model.params[NPConstants.NUMPY_KEY] + 1
        mean = float(weights.mean())
        print(f"{site}: the mean of the weights is {mean}")
        flare.send(flare.FLModel(params={NPConstants.NUMPY_KEY: weights}, metrics={"weight_mean": mean}))


if __name__ == "__main__":
    main()
