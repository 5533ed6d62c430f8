"""What the widgets use of FLARE's engine, over FLARE's own cells, workspace and job manager, in one process."""

from pathlib import Path

from nvflare.apis.client import Client
from nvflare.apis.fl_constant import FLContextKey, ProcessType, SystemComponents
from nvflare.apis.fl_context import FLContextManager
from nvflare.apis.impl.job_def_manager import SimpleJobDefManager
from nvflare.apis.server_engine_spec import ServerEngineSpec
from nvflare.apis.workspace import Workspace
from nvflare.app_common.storages.filesystem_storage import FilesystemStorage
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.core_cell import CoreCell
from nvflare.fuel.f3.stats_pool import StatsPoolManager


class Engine(ServerEngineSpec):
    """A process of FLARE: a cell, a workspace, and what is registered with it.

    FLARE's job manager insists on an engine of this type, and asks it for its storage alone.
    """

    def __init__(self, fqcn, url, directory, identity, process_type, job_id=""):
        self.cell = Cell(fqcn=fqcn, root_url=url, secure=False, credentials={}, create_internal_listener=False)
        self.cell.start()
        for folder in ("startup", "local"):
            (Path(directory) / folder).mkdir(parents=True, exist_ok=True)
        self.workspace = Workspace(root_dir=str(directory), site_name=identity)
        self.clients = {}
        self.components = {}
        stickers = {FLContextKey.PROCESS_TYPE: process_type, FLContextKey.WORKSPACE_ROOT: str(directory)}
        self._contexts = FLContextManager(
            engine=self, identity_name=identity, job_id=job_id, public_stickers={}, private_stickers=stickers
        )

    def stop(self):
        self.cell.stop()
        # FLARE keeps the cells of a process and their statistics by name, for ever.
        CoreCell.ALL_CELLS.pop(self.cell.get_fqcn(), None)
        StatsPoolManager.pools.clear()

    def get_cell(self):
        return self.cell

    def get_workspace(self):
        return self.workspace

    def get_clients(self):
        return list(self.clients.values())

    def get_client_from_name(self, name):
        return self.clients.get(name)

    def get_component(self, component_id):
        return self.components.get(component_id)

    def new_context(self):
        return self._contexts.new_context()

    def fire_event(self, event, fl_ctx):
        """FLARE tells of each error that is logged as an event; nobody listens here."""

    def register(self, name, fqcn=None, site_config=None):
        """What FLARE's server knows of a site that has registered."""
        client = Client(name, token=name)
        client.set_fqcn(fqcn or name)
        if site_config is not None:
            client.set_site_config(site_config)
        self.clients[name] = client

    def add_job_manager(self, directory):
        """FLARE's own, with its own storage."""
        self.components["job_store"] = FilesystemStorage(root_dir="/", uri_root="/")
        manager = SimpleJobDefManager(uri_root=str(directory), job_store_id="job_store")
        self.components[SystemComponents.JOB_MANAGER] = manager
        self.jobs = Path(directory)

    def add_job(self, job_id):
        """A job that the manager knows."""
        (self.jobs / job_id).mkdir(parents=True)
        (self.jobs / job_id / "meta").write_text("{}")


# The methods that the widgets do not use stay without a body.
Engine.__abstractmethods__ = frozenset()


def fire(widget, event, engine, **properties):
    """Fires an event at a widget as FLARE does, and returns the context of it."""
    fl_ctx = engine.new_context()
    for name, value in properties.items():
        fl_ctx.set_prop(name, value, private=True, sticky=False)
    for handler, kwargs in widget.get_event_handlers().get(event, []):
        handler(event, fl_ctx, **(kwargs or {}))
    return fl_ctx


PARENT = ProcessType.SERVER_PARENT
SERVER_JOB = ProcessType.SERVER_JOB
CLIENT_JOB = ProcessType.CLIENT_JOB
CLIENT_PARENT = ProcessType.CLIENT_PARENT
