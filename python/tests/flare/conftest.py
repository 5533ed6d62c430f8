"""What the tests of the FLARE widgets share: they need nvflare, which is installed in an environment of its own."""

import importlib.util

if importlib.util.find_spec("nvflare") is None:
    collect_ignore_glob = ["*"]
else:
    import logging

    import pytest
    from engine import CLIENT_JOB, CLIENT_PARENT, PARENT, SERVER_JOB, Engine, Logs
    from federation import free_port

    @pytest.fixture
    def logs():
        """What FLARE logs during the test."""
        handler = Logs()
        root = logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        yield handler
        root.removeHandler(handler)
        root.setLevel(before)

    class Network:
        """FLARE's processes of a test, each with a cell."""

        def __init__(self, directory):
            self.directory = directory
            self.url = f"tcp://localhost:{free_port()}"
            self.engines = []

        def _engine(self, *arguments):
            engine = Engine(*arguments)
            self.engines.append(engine)
            return engine

        def server(self):
            """The server's parent process, with a job manager."""
            server = self._engine("server", self.url, self.directory / "server", "server", PARENT)
            server.add_job_manager(self.directory / "jobs")
            return server

        def server_job(self, job_id):
            """The server's process of a job."""
            return self._engine(f"server.{job_id}", self.url, self.directory / "server", "server", SERVER_JOB, job_id)

        def site_job(self, site, job_id, cell=None):
            """A site's process of a job."""
            engine = self._engine(cell or f"{site}.{job_id}", self.url, self.directory / site, site, CLIENT_JOB, job_id)
            (self.directory / site / job_id).mkdir(exist_ok=True)
            return engine

        def site(self, site):
            """A site's parent process."""
            return self._engine(site, self.url, self.directory / site, site, CLIENT_PARENT)

        def stop(self, engine):
            """Ends one process."""
            self.engines.remove(engine)
            engine.stop()

    @pytest.fixture
    def network(tmp_path):
        """An empty network of FLARE's cells."""
        network = Network(tmp_path)
        yield network
        for engine in reversed(network.engines):
            engine.stop()
