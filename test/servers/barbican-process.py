# Debian's Barbican in one process, with a SQLite database that it makes itself. Its parts each read ~/.barbican/barbican.conf, so HOME is the
# server's own folder. Argument: the port.
import sys

from one_by_one import serve
from paste import deploy

port = int(sys.argv[1])
# Barbican reads the command line too.
del sys.argv[1:]
served = deploy.loadapp("config:/etc/barbican/barbican-api-paste.ini")
serve(served, port)
