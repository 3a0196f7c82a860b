# The reference's own API of metadata definitions, asked without a server: reads calls as JSON, writes what each was answered. Its first
# argument names a configuration; callers are told by tokens `user:project:role[,role]`.
import json
import logging
import sys

import glance_store
import webob
from oslo_config import cfg

import glance.context
from glance.api import policy
from glance.api.v2 import router
from glance.common import config, wsgi

# It says much about what it refuses, which is what is asked for.
logging.disable(logging.CRITICAL)
config.parse_args(args=["--config-file", sys.argv[1]])
glance_store.register_opts(cfg.CONF)
enforcer = policy.Enforcer()
api = router.API(wsgi.APIMapper())


def answer(call):
    user, project, roles = call["token"].split(":")
    request = webob.Request.blank(call["path"], method=call["method"])
    request.context = glance.context.RequestContext(
        user_id=user,
        project_id=None if project == "none" else project,
        roles=roles.split(","),
        is_admin="admin" in roles.split(","),
        policy_enforcer=enforcer,
    )
    request.accept = "application/json"
    request.headers.update(call.get("headers", {}))
    if "body" in call:
        request.body = json.dumps(call["body"]).encode()
    response = request.get_response(api)
    return {"status": response.status_int, "text": response.text}


json.dump([answer(call) for call in json.load(sys.stdin)], sys.stdout)
