// What the API asks of the process it runs in. Implemented by node/; tests implement it in a line.

export interface Gate {
  /** While true every response carries `Connection: close`, so that clients and balancers move on by themselves. */
  readonly draining: boolean;
  /** What GET /healthcheck says: 200 OK, or 503 with the reason (for instance "DISABLED BY FILE"). */
  health(): { readonly ok: true } | { readonly ok: false; readonly reason: string };
  /** The Prometheus text of this whole node, all workers together. */
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
}
