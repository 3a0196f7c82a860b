// Options of glance-api.conf that choose the pipeline.
import { optionGroup } from "../../core/options.ts";

export const pasteDeployOptions = optionGroup("paste_deploy", {
  flavor: {
    type: "string",
    default: null,
    help: "Who callers are, and whether images are cached: the name behind `glance-api-` of a pipeline in the paste file; without such a file none, keystone, trusted-auth or fakeauth, each also with +caching or +cachemanagement, or caching or cachemanagement. Unset or none: everybody is an admin without a project. See docs/identity.md.",
  },
  config_file: {
    type: "string",
    default: null,
    help: "The paste file, whose pipeline of the flavor says what stands in front of the API. Unset: the file beside the last configuration file that is called like it with -paste.ini for .conf, or glance-api-paste.ini; where there is none, built-in pipelines.",
  },
});
