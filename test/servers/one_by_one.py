# Serves a WSGI application on a port of loopback for the tests' servers in Python, one request after the other: threads would lock each other out
# of a SQLite database.
import socketserver
import wsgiref.simple_server


class Server(wsgiref.simple_server.WSGIServer):
    request_queue_size = 128

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


def serve(application, port):
    """Never returns."""
    wsgiref.simple_server.make_server("127.0.0.1", port, application, Server, Handler).serve_forever()
