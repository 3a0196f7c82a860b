# The reference's own filter that believes tokens `user:project:role`, which comes with its tests, with what Keystone's filter registers: a node
# that sends a request on to another asks for one of its options.
import keystonemiddleware.auth_token  # noqa: F401
from glance.tests.utils import FakeAuthMiddleware  # noqa: F401
