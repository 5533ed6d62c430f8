"""FLARE's processes of a test, each with a cell of its own, in one process."""

from engine import CLIENT_JOB, CLIENT_PARENT, PARENT, SERVER_JOB, Engine
from federation import free_port


class Network:
    """An empty network of FLARE's cells; the server comes first."""

    def __init__(self, directory):
        self.directory = directory
        self.url = f"tcp://localhost:{free_port()}"
        self.engines = []

    def _engine(self, fqcn, site, process_type, job_id=""):
        engine = Engine(fqcn, self.url, self.directory / site, site, process_type, job_id)
        self.engines.append(engine)
        return engine

    def server(self):
        """The server's parent process, with a job manager."""
        server = self._engine("server", "server", PARENT)
        server.add_job_manager(self.directory / "jobs")
        return server

    def server_job(self, job_id):
        """The server's process of a job."""
        return self._engine(f"server.{job_id}", "server", SERVER_JOB, job_id)

    def site(self, site):
        """A site's parent process."""
        return self._engine(site, site, CLIENT_PARENT)

    def site_job(self, site, job_id):
        """A site's process of a job."""
        engine = self._engine(f"{site}.{job_id}", site, CLIENT_JOB, job_id)
        (self.directory / site / job_id).mkdir(exist_ok=True)
        return engine

    def stop(self, engine):
        """Ends one process."""
        self.engines.remove(engine)
        engine.stop()

    def close(self):
        """Ends all that are left."""
        for engine in reversed(self.engines):
            engine.stop()
        self.engines.clear()
