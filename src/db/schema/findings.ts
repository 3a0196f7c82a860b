// What a pre-flight found: problems refuse the phase before anything is touched, notes are only told.

export type PreflightPhase = "expand" | "migrate" | "contract" | "sync";

export type Findings = { readonly problems: readonly string[]; readonly notes: readonly string[] };

export const nothingFound: Findings = { problems: [], notes: [] };
