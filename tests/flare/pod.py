"""What FLARE's Kubernetes launcher makes of a study's pod template, on standard output as JSON: `python pod.py TEMPLATE`."""

import json
import sys

import yaml
from nvflare.app_opt.job_launcher.k8s_launcher import WORKSPACE_MOUNT_PATH, K8sJobHandle

with open(sys.argv[1]) as file:
    template = yaml.safe_load(file)
job = {
    "name": "job-1-site-1",
    "image": "the-job",
    "container_name": "container-job-1",
    "command": "nvflare.private.fed.app.client.worker_process",
    # As its launch_job has them.
    "volume_list": [
        {"name": "workspace-job", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "startup-kit", "secret": {"secretName": "startup-site-1"}},
    ],
    "volume_mount_list": [
        {"name": "workspace-job", "mountPath": WORKSPACE_MOUNT_PATH},
        {"name": "startup-kit", "mountPath": f"{WORKSPACE_MOUNT_PATH}/startup", "readOnly": True},
    ],
    "module_args": {"-m": WORKSPACE_MOUNT_PATH, "-n": "job-1"},
    "require_main_container": True,
}
json.dump(K8sJobHandle("job-1", None, job, pod_manifest_template=template).get_manifest(), sys.stdout)
