// Which of the page's views is shown: the rollout as it is now, the list of past ones, or one of them replayed. It stands behind the #.
import { useEffect, useState } from "preact/hooks";
import { History } from "./history.tsx";
import { Link } from "./link.ts";
import { LivePage } from "./live-page.tsx";
import { Replay } from "./replay.tsx";

const link = new Link();

export function App() {
  const [path, setPath] = useState(location.hash);
  useEffect(() => {
    const follow = () => setPath(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const [, id] = /^#\/rollouts\/(.+)$/.exec(path) ?? [];
  if (id !== undefined) return <Replay key={id} id={decodeURIComponent(id)} />;
  if (path === "#/history") return <History />;
  return <LivePage link={link} />;
}
