// The row that says who may act on the fleet of this database. A fence rises with every new holder, so that one who was taken for
// dead can tell that it is no longer the holder. Ages are told by the database's clock alone.
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { Database, Queryable } from "../database.ts";

/** A rollout is of a database, and a database has one. */
const leaseName = "rollout";

export type LeaseClaim = {
  /** Unique to the claiming run. */
  readonly holder: string;
  /** Tells the process from every other one of the same host, for a run there that finds it dead. */
  readonly process: string;
  /** Who it is, for people. */
  readonly told: string;
};
export type LeaseRow = LeaseClaim & {
  readonly fence: number;
  readonly renewals: number;
  readonly expired: boolean;
};

export interface RolloutLeaseRepository {
  find(): Promise<LeaseRow | undefined>;
  /** Takes the lease from nobody, or from `from` as it was found; undefined where somebody else was quicker or it was renewed since. */
  take(claim: LeaseClaim, from: LeaseRow | undefined, seconds: number): Promise<number | undefined>;
  /** Another `seconds` from now; false where the lease is somebody else's. */
  renew(held: { readonly holder: string; readonly fence: number }, seconds: number): Promise<boolean>;
  /** Gives it back; harmless where it is somebody else's. */
  release(held: { readonly holder: string; readonly fence: number }): Promise<void>;
}

export function createRolloutLeaseRepository(db: Database): RolloutLeaseRepository {
  const { nowPlusSecondsSql, nowSql } = db.dialect;
  return {
    async find() {
      const [row] = await db.query(
        `SELECT fence, renewals, holder, process, told, CASE WHEN expires_at <= ${nowSql} THEN 1 ELSE 0 END AS expired FROM perennial_rollout_lease WHERE name = ?`,
        [leaseName],
      );
      if (!row) return undefined;
      const { holder, process, told } = row;
      return {
        holder: String(holder),
        process: String(process),
        told: String(told),
        fence: Number(row.fence),
        renewals: Number(row.renewals),
        expired: Number(row.expired) === 1,
      };
    },

    async take(claim, from, seconds) {
      const values = [claim.holder, claim.process, claim.told, seconds];
      if (!from) {
        try {
          await db.run(
            `INSERT INTO perennial_rollout_lease (name, fence, renewals, holder, process, told, expires_at) VALUES (?, 1, 0, ?, ?, ?, ${nowPlusSecondsSql})`,
            [leaseName, ...values],
          );
          return 1;
        } catch (error) {
          if (isServiceError(error, "db.duplicate")) return undefined;
          throw error;
        }
      }
      const { rowsAffected } = await db.run(
        `UPDATE perennial_rollout_lease SET fence = fence + 1, renewals = renewals + 1, holder = ?, process = ?, told = ?, expires_at = ${nowPlusSecondsSql} WHERE name = ? AND fence = ? AND holder = ? AND renewals = ?`,
        [...values, leaseName, from.fence, from.holder, from.renewals],
      );
      return rowsAffected > 0 ? from.fence + 1 : undefined;
    },

    async renew({ holder, fence }, seconds) {
      const { rowsAffected } = await db.run(
        `UPDATE perennial_rollout_lease SET renewals = renewals + 1, expires_at = ${nowPlusSecondsSql} WHERE name = ? AND fence = ? AND holder = ?`,
        [seconds, leaseName, fence, holder],
      );
      return rowsAffected > 0;
    },

    async release({ holder, fence }) {
      await db.run(
        `UPDATE perennial_rollout_lease SET renewals = renewals + 1, expires_at = ${nowSql} WHERE name = ? AND fence = ? AND holder = ?`,
        [leaseName, fence, holder],
      );
    },
  };
}

/**
 * Makes sure, inside a transaction, that the lease is still the caller's, and keeps it so until the transaction ends.
 * Throws rollout.lease_lost.
 */
export async function holdFence(
  db: Database,
  tx: Queryable,
  held: { readonly holder: string; readonly fence: number },
): Promise<void> {
  const [row] = await tx.query(
    `SELECT fence, holder, told FROM perennial_rollout_lease WHERE name = ? ${db.dialect.forUpdate}`,
    [leaseName],
  );
  if (row && Number(row.fence) === held.fence && String(row.holder) === held.holder) return;
  throw leaseLost(row ? String(row.told) : "somebody who removed the lease");
}

export function leaseLost(told: string): ServiceError {
  const message = `this rollout is no longer ours: ${told} has it; follow it with glance-rollout status`;
  return new ServiceError("rollout.lease_lost", message, { facts: { holder: told } });
}
