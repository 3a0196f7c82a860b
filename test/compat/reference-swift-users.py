# The reference's own Swift store in accounts of the users: reads who asks, and steps, as JSON; does each, writes what each gave.
import io
import json
import logging
import sys
import types

from glance_store import backend, exceptions
from oslo_config import cfg

logging.disable(logging.CRITICAL)
asked = json.load(sys.stdin)
conf = cfg.ConfigOpts()
backend.register_opts(conf)
conf([], project="glance", default_config_files=[], default_config_dirs=[])
for name, value in asked["options"].items():
    conf.set_override(name, value, "glance_store")
backend.create_stores(conf)
caller = types.SimpleNamespace(**asked["caller"])


def step(name, *arguments):
    if name == "add":
        image, data = arguments
        return backend.add_to_backend(conf, image, io.BytesIO(data.encode()), len(data), context=caller)[0]
    if name == "get":
        try:
            chunks, _size = backend.get_from_backend(arguments[0], context=caller)
            return b"".join(chunks).decode()
        except exceptions.BackendException:
            return None
        except Exception as error:
            return type(error).__name__
    return getattr(backend, name)(*arguments, context=caller)


json.dump([step(*one) for one in asked["steps"]], sys.stdout)
