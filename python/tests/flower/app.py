"""An app of Flower as its users write them: two rounds of two nodes that log and print."""

from __future__ import annotations

import json
import logging
import os
import sys
import time

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from fedtail.flower import ClientLog, ServerLogs

STEPS = 50

logger = logging.getLogger("trainer")
logger.setLevel(logging.INFO)

client_app = ClientApp(mods=[ClientLog()])
server_app = ServerApp()


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Logs, prints, and does what the environment says."""
    round_ = message.content.config_records["config"]["server-round"]
    node = context.node_config["partition-id"]
    for step in range(STEPS):
        logger.info("round %s step %d of node %s", round_, step, node)
    print(f"printed in round {round_}")
    print("und das ist für stderr", file=sys.stderr)
    if os.environ.get("APP") == "waits":
        # Until the test has seen the lines above at the server.
        while not os.path.exists(os.environ["APP_SEEN"]):
            time.sleep(0.05)
    if os.environ.get("APP") == "fails" and (round_, node) == (2, 1):
        raise ValueError("the loss is not a number")
    arrays = message.content.array_records["arrays"]
    metrics = MetricRecord({"num-examples": 1, "loss": 0.5})
    return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


@server_app.main()
def main(grid: Grid, context: Context) -> None:
    """Takes the logs meanwhile."""
    with ServerLogs(context, os.environ["APP_STORE"], **json.loads(os.environ.get("APP_TLS", "{}"))) as logs:
        strategy = FedAvg(fraction_evaluate=0.0, min_available_nodes=2)
        config = logs.config(ConfigRecord({"of": "the app"}))
        strategy.start(grid, ArrayRecord([np.zeros(3)]), num_rounds=2, train_config=config)
