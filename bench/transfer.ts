// Claim: an upload of 1 GiB, with its MD5, runs at 0.6 or better of what a bare Node server does that pipes to the same disk, a
// download at 0.9; and no worker has more than 200 MB resident. Reference: upload 205 MB/s, download 1,500 MB/s.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startDetached } from "../demo/processes.ts";
import { adminToken } from "../demo/traffic/actor.ts";
import { eventually } from "../test/servers/eventually.ts";
import { freePort } from "../test/servers/free-port.ts";
import { type Bench, median } from "./bench.ts";
import { peakMemoryMb, startSubject } from "./subject.ts";

const rounds = 3;

export const transfer: Bench = {
  name: "transfer",
  summary: "upload and download of 1 GiB against a bare Node server that pipes to and from the same disk",
  async run({ scale, progress }) {
    const bytes = Math.round(1_073_741_824 * scale);
    const subject = await startSubject();
    try {
      const node = await (await subject.createDatabase("ocata")).startNode();
      const bare = await startBare(subject.folder);
      const speeds = {
        upload: [] as number[],
        bareUpload: [] as number[],
        download: [] as number[],
        bareDownload: [] as number[],
      };
      // The first round warms up.
      for (let round = 0; round <= rounds; round++) {
        progress(`round ${round} of ${rounds}`);
        const file = `${node.origin}/v2/images/${await createImage(node.origin)}/file`;
        const figures = {
          bareUpload: await transferOnce("PUT", `${bare}/`, bytes),
          upload: await transferOnce("PUT", file, bytes),
          bareDownload: await transferOnce("GET", `${bare}/`, bytes),
          download: await transferOnce("GET", file, bytes),
        };
        await fetch(file.replace("/file", ""), { method: "DELETE", headers: { "X-Auth-Token": adminToken } });
        if (round > 0)
          for (const key of ["upload", "bareUpload", "download", "bareDownload"] as const)
            speeds[key].push(figures[key]);
      }
      const [up, bareUp] = [median(speeds.upload), median(speeds.bareUpload)];
      const [down, bareDown] = [median(speeds.download), median(speeds.bareDownload)];
      return [
        { what: "upload", value: up, unit: "MB/s" },
        { what: "upload of the bare server", value: bareUp, unit: "MB/s" },
        { what: "upload against the bare server", value: up / bareUp, unit: "ratio", bound: { atLeast: 0.6 } },
        { what: "download", value: down, unit: "MB/s" },
        { what: "download of the bare server", value: bareDown, unit: "MB/s" },
        { what: "download against the bare server", value: down / bareDown, unit: "ratio", bound: { atLeast: 0.9 } },
        {
          what: "worker's largest resident memory",
          value: peakMemoryMb(node.workerPid),
          unit: "MB",
          bound: { atMost: 200 },
        },
      ];
    } finally {
      await subject.stop();
    }
  },
};

async function startBare(folder: string): Promise<string> {
  const port = await freePort();
  const script = fileURLToPath(new URL("bare/transfer-server.ts", import.meta.url));
  startDetached([process.execPath, script, folder, String(port)], { logFile: `${folder}/bare.log`, cwd: folder });
  const origin = `http://127.0.0.1:${port}`;
  await eventually("the bare server answers", async () => (await fetch(origin, { method: "PUT", body: "x" })).ok);
  return origin;
}

export async function createImage(origin: string): Promise<string> {
  const response = await fetch(`${origin}/v2/images`, {
    method: "POST",
    headers: { "X-Auth-Token": adminToken, "Content-Type": "application/json" },
    body: JSON.stringify({ disk_format: "raw", container_format: "bare" }),
  });
  return ((await response.json()) as { id: string }).id;
}

/** MB/s. Throws where it was not answered as it should be. */
export async function transferOnce(method: "PUT" | "GET", url: string, bytes: number): Promise<number> {
  const script = fileURLToPath(new URL("transfer-client-process.ts", import.meta.url));
  const child = fork(script, [method, url, String(bytes), adminToken]);
  const [[result]] = (await Promise.all([once(child, "message"), once(child, "exit")])) as [
    [{ status: number; bytes: number; ms: number }],
    unknown,
  ];
  const right = method === "PUT" ? result.status === 204 : result.status === 200 && result.bytes === bytes;
  if (!right) throw new Error(`${method} ${url}: status ${result.status}, ${result.bytes} bytes`);
  return bytes / 1_000 / result.ms;
}
