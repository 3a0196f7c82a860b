# Debian's Keystone in one process: makes its database, bootstraps it as `keystone-manage bootstrap` does, and serves. Python takes longer to
# load Keystone than Keystone takes for all of this, so it is loaded once. Arguments: configuration file, port, password of admin.
import sqlite3
import sys

import keystone.conf
import keystone.server
from keystone.cmd import bootstrap
from keystone.common import provider_api
from keystone.common.sql import upgrades
from keystone.server.flask import application, core
from one_by_one import serve

config, port, password = sys.argv[1:]
# Keystone reads the command line too.
del sys.argv[1:]
url = f"http://127.0.0.1:{port}/v3"

keystone.server.configure(config_files=[config])
# Statements that Keystone has read but not finished would lock out its own writes without this journal. It opens the database hundreds of times
# a request: a connection that stays open keeps the journal from being made and removed each time.
database = keystone.conf.CONF.database.connection.removeprefix("sqlite:///")
keeper = sqlite3.connect(database)
keeper.execute("pragma journal_mode = wal")
keeper.execute("create table perennial_keeper (x)")
keeper.execute("select * from perennial_keeper").fetchall()
upgrades.offline_sync_database_to_version(None)
first = bootstrap.Bootstrapper()
first.admin_username = first.project_name = first.admin_role_name = "admin"
first.admin_password = password
first.service_name = "keystone"
first.region_id = "RegionOne"
first.public_url = first.internal_url = first.admin_url = url
first.bootstrap()

# The application loads its parts anew.
provider_api.ProviderAPIs._clear_registry_instances()
_, public = keystone.server.setup_backends(
    startup_application_fn=lambda: application.application_factory("public")
)
served = core.setup_app_middleware(public)
serve(served, int(port))
