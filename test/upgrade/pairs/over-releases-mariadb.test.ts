// Upgrades over releases on MariaDB: see over-releases.ts.
import { testOverReleases } from "./over-releases.ts";

testOverReleases("mariadb");
