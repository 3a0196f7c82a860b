// Operating failures of every room, as a closed set of codes. Programmer mistakes are assertions and crash instead.
// A code is `<room>.<what>`, documented in docs/errors.md (a test compares), and never reused for something else.

/** For each code: may the same call succeed if it is simply made again? Only retry wrappers read this. */
const retryableByCode = {
  "config.invalid": false,
  "db.unreachable": true,
  "db.access_denied": false,
  "db.conflict": true,
  "db.duplicate": false,
  "db.integrity": false,
  "db.wrong_schema": false,
  "db.full": false,
  "db.statement_failed": false,
  "db.backup_failed": false,
  "db.restore_refused": false,
  "db.restore_failed": false,
  "schema.locked": true,
  "schema.interrupted": true,
  "schema.out_of_order": false,
  "schema.blocked": true,
  "schema.contract_refused": false,
  "schema.preflight_failed": false,
  "schema.unknown_revision": false,
  "schema.would_lose": false,
  "schema.newer_progress": false,
  "metadefs.bad_file": false,
  "metadefs.not_found": false,
  "metadefs.forbidden": false,
  "metadefs.invalid": false,
  "metadefs.duplicate": false,
  "images.not_found": false,
  "images.forbidden": false,
  "images.invalid": false,
  "images.duplicate": false,
  "images.status_conflict": false,
  "images.property_conflict": false,
  "images.over_limit": false,
  "images.gone": false,
  "images.no_data": false,
  "images.unfit_data": false,
  "images.not_staged_here": false,
  "images.no_upload": false,
  "images.offset_mismatch": false,
  "images.source_failed": false,
  "images.bad_patch": false,
  "images.bad_query": false,
  "tasks.not_found": false,
  "stores.blob_not_found": false,
  "stores.blob_exists": false,
  "stores.full": false,
  "stores.read_only": false,
  "stores.in_use": false,
  "stores.foreign": false,
  "stores.proxy_failed": false,
  "stores.unavailable": true,
  "cache.off": false,
  "identity.unauthenticated": false,
  "identity.unavailable": true,
  "api.bad_request": false,
  "api.unsupported_media_type": false,
  "api.method_not_allowed": false,
  "api.unknown_path": false,
  "api.range_not_satisfiable": false,
  "api.client_gone": false,
  "api.other_node_failed": false,
  "api.body_too_large": false,
  "api.body_too_slow": false,
  "api.header_too_large": false,
  "api.not_implemented": false,
  "node.start_refused": false,
  "node.port_in_use": false,
  "node.handover_failed": true,
  "rollout.fleet_invalid": false,
  "rollout.driver_failed": true,
  "rollout.backup_failed": false,
  "rollout.paused": false,
  "rollout.lease_lost": false,
  "rollout.journal_broken": false,
  "rollout.plan_outdated": false,
  "rollout.report_unwritable": false,
  "console.page_missing": false,
  "console.token_unusable": false,
} as const;

export type ErrorCode = keyof typeof retryableByCode;
export type Facts = Readonly<Record<string, string | number | boolean | null>>;

/**
 * A failure that its user can do something about.
 * `message` is for people: what happened, to what, and what to do next. `facts` is for programs.
 */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: ErrorCode;
  readonly facts: Facts;

  constructor(code: ErrorCode, message: string, options: { facts?: Facts; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.facts = options.facts ?? {};
  }

  get retryable(): boolean {
    return retryableByCode[this.code];
  }
}

export const errorCodes = Object.keys(retryableByCode) as readonly ErrorCode[];

/** Narrows an unknown thrown value, optionally to some codes. */
export function isServiceError(error: unknown, ...codes: readonly ErrorCode[]): error is ServiceError {
  return error instanceof ServiceError && (codes.length === 0 || codes.includes(error.code));
}

/** The text of any thrown value, for a log line or a one-line report. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
