// Upgrades over releases on PostgreSQL: see over-releases.ts.
import { testOverReleases } from "./over-releases.ts";

testOverReleases("postgresql");
