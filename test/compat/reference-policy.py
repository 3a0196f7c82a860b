# What the reference's own policy says: reads situations as JSON, writes for each rule and situation whether it lets pass. The rules are its
# defaults under the operator's file that is named; the switches are as given.
import json
import logging
import sys

from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from glance import policies

# It has an opinion on files in JSON, which is not what is compared.
logging.disable(logging.CRITICAL)
asked = json.load(sys.stdin)
conf = cfg.ConfigOpts()
conf([], project="none", default_config_files=[])
enforcer = oslo_policy.Enforcer(conf, policy_file=asked["file"], use_conf=True)
conf.set_override("enforce_new_defaults", asked["newDefaults"], group="oslo_policy")
conf.set_override("enforce_scope", False, group="oslo_policy")
conf.set_override("policy_dirs", [], group="oslo_policy")
enforcer.suppress_deprecation_warnings = True
enforcer.suppress_default_change_warnings = True
enforcer.register_defaults(policies.list_rules())
names = [rule.name for rule in policies.list_rules()] + asked["rules"]
answers = {
    name: [bool(enforcer.enforce(name, one["target"], one["creds"])) for one in asked["situations"]]
    for name in names
}
json.dump(answers, sys.stdout)
