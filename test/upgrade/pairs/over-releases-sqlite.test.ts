// Upgrades over releases on SQLite: see over-releases.ts.
import { testOverReleases } from "./over-releases.ts";

testOverReleases("sqlite");
