// The file that takes a node out of rotation (balancer driver `health`), on a host that is reached by ssh.
import type { NodeFile } from "../../balancers/health/node-file.ts";
import type { SshNodeAt } from "../node-schemas.ts";
import { sshHost } from "./ssh-host.ts";

const notThere = 44;

export function sshNodeFile(at: SshNodeAt, path: string): NodeFile {
  const host = sshHost(at);
  const what = `the file that takes ${at.name} out of rotation`;
  return {
    path: `${at.host}:${path}`,
    async read(signal) {
      const script = `[ -e "$1" ] || exit ${notThere}; cat -- "$1"`;
      const { code, stdout } = await host.run(script, [path], { what, signal, answers: [0, notThere] });
      return code === 0 ? stdout : null;
    },
    async write(text, signal) {
      await host.run('cat > "$1.new" && mv -f "$1.new" "$1"', [path], { what, signal, input: text });
    },
    async remove(signal) {
      await host.run('rm -f -- "$1"', [path], { what, signal });
    },
  };
}
