# Debian's Barbican in one process, with a SQLite database that it makes itself. Its parts each read ~/.barbican/barbican.conf, so HOME is the
# server's own folder. Argument: the port.
import socketserver
import sys
import wsgiref.simple_server

from paste import deploy

port = int(sys.argv[1])
# Barbican reads the command line too.
del sys.argv[1:]
served = deploy.loadapp("config:/etc/barbican/barbican-api-paste.ini")


class Server(wsgiref.simple_server.WSGIServer):
    """One request after the other, as SQLite wants it."""

    def server_bind(self):
        # Without asking a name server what the address is called.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address
        self.setup_environ()


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def address_string(self):
        return self.client_address[0]

    def log_message(self, *_):
        pass


wsgiref.simple_server.make_server("127.0.0.1", port, served, Server, Handler).serve_forever()
