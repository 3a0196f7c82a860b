// The systemd units of the Debian package, made from the samples in deploy/: with the commands where the package has them, under names of
// their own so that Glance's unit can stay, and a template for several nodes on one machine.

type Unit = { readonly name: string; readonly text: string };

const commands = "/usr/lib/perennial/bin/";

/** `sample` reads a file of deploy/. Throws an Error where a sample no longer has what is to be changed in it. */
export function packagedUnits(sample: (name: string) => string): readonly Unit[] {
  const node = replaced(sample("glance-api.service"), [
    ["ExecStart=/usr/bin/", `ExecStart=${commands}`],
    ["-s USR2 glance-api`", "-s USR2 perennial-api`"],
  ]);
  const template = replaced(node, [
    ["Description=Perennial image service node", "Description=Perennial image service node %i"],
    ["/etc/glance/glance-api.conf", "/etc/glance/%i/glance-api.conf"],
    ["-s USR2 perennial-api`", "-s USR2 perennial-api@NAME`"],
    ["RuntimeDirectory=perennial\n", "RuntimeDirectory=perennial/%i\n"],
  ]);
  const scrubber = replaced(sample("glance-scrubber.service"), [["ExecStart=/usr/bin/", `ExecStart=${commands}`]]);
  return [
    { name: "perennial-api.service", text: node },
    { name: "perennial-api@.service", text: template },
    { name: "perennial-api.socket", text: sample("glance-api.socket") },
    { name: "perennial-scrubber.service", text: scrubber },
  ];
}

function replaced(text: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((sofar, [from, to]) => {
    if (!sofar.includes(from)) throw new Error(`a sample unit in deploy/ has no "${from.trim()}" any more`);
    return sofar.replace(from, () => to);
  }, text);
}
