// The rollout as it is now. Whatever is not so now is called so: a lost connection, a fleet that cannot be seen, a run that has ended.
import { useEffect, useRef, useState } from "preact/hooks";
import type { LiveState } from "../../src/console/live-state.ts";
import { Dashboard } from "./dashboard.tsx";
import type { Link, LinkState, Told } from "./link.ts";
import { LivePicture } from "./live-picture.ts";
import { Orders } from "./parts/orders.tsx";
import type { Freshness } from "./parts/top-bar.tsx";

/** Looks come about once a second. */
const seenMsMax = 8_000;
const overStates: ReadonlySet<string> = new Set(["finished", "aborted", "rolled back"]);

export function LivePage({ link }: { link: Link }) {
  const { link: state, live } = useTold(link);
  const picture = useRef(new LivePicture());
  if (!live) {
    return (
      <div class="waiting" role="status">
        {state === "lost" ? "The console's server does not answer. This page goes on trying." : "Looking at the fleet."}
      </div>
    );
  }
  const { head } = live;
  return (
    <Dashboard
      view={picture.current.view(live)}
      freshness={freshnessOf(state, live)}
      holder={head.holder}
      open={head.canary}
    >
      {head.control && <Orders live={live} off={state !== "live"} />}
    </Dashboard>
  );
}

function freshnessOf(link: LinkState, { head }: LiveState): Freshness {
  const { seenMs, atMs } = head;
  const old = (why: string, ms = seenMs): Freshness => ({ kind: "old", why, seenMs: ms });
  if (link !== "live")
    return old(overStates.has(head.state) ? "The run has ended and its console with it" : "Connection lost", atMs);
  if (head.problem !== null) return old(`The fleet cannot be seen: ${head.problem}`);
  if (seenMs === null) return old("The fleet has not been seen yet");
  if (atMs - seenMs > seenMsMax) return old("The fleet takes long to answer");
  return { kind: "live", atMs };
}

function useTold(link: Link): Told {
  const [told, setTold] = useState(link.told);
  useEffect(() => {
    const follow = () => setTold(link.told);
    follow();
    return link.listen(follow);
  }, [link]);
  return told;
}
