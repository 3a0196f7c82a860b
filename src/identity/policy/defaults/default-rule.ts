// The shape of a rule that a release brings with it.

export type DefaultRule = {
  readonly name: string;
  readonly rule: string;
  /** What else lets callers pass until enforce_new_defaults is on. */
  readonly legacy?: string;
  /** For tokens of projects only, where scopes are enforced. */
  readonly projectsOnly?: true;
};
