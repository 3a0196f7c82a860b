# The reference's own driver xattr of the image cache on a folder: reads steps as JSON, does each, writes what each gave.
import json
import logging
import sys

from glance.image_cache.drivers import xattr as driver_module
from oslo_config import cfg

logging.disable(logging.CRITICAL)
folder, steps = json.load(sys.stdin)
cfg.CONF([], project="glance", default_config_files=[], default_config_dirs=[])
cfg.CONF.set_override("image_cache_dir", folder)
driver = driver_module.Driver()
driver.configure()


def step(name, *arguments):
    if name == "write":
        image, data = arguments
        with driver.open_for_write(image) as file:
            file.write(data.encode())
        return None
    if name == "read":
        with driver.open_for_read(*arguments) as file:
            return file.read().decode()
    return getattr(driver, name)(*arguments)


json.dump([step(*one) for one in steps], sys.stdout)
