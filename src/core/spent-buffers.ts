// The runtime hands over what a client sends in a fresh buffer for every 64 KiB, and clears the spent ones away only when its own small
// objects have filled the young generation: by then an upload has left a hundred megabytes behind. Here they go as the bytes go by.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A collection of the young generation takes a millisecond or less; at 250 MB/s there are eight of them a second. */
const bytesBetween = 32 * 1_048_576;

type Collect = (options: { type: "minor" }) => void;
let collect: Collect | undefined;
let bytes = 0;

/** Called with the length of each buffer that will not be needed again, by all transfers of the process. */
export function countSpentBytes(length: number): void {
  bytes += length;
  if (bytes < bytesBetween) return;
  bytes = 0;
  collect ??= youngCollector();
  collect({ type: "minor" });
}

/** What `--expose-gc` gives, without asking every starter of the process for it. */
function youngCollector(): Collect {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
}
