// The policy of a running node: a release's rules under the operator's, read again when a file of theirs changes.
//
//   in effect --a file changed--> seen once --the same a moment later--> read --fits--> in effect
//                                     ^------changed again----'             `--broken--> the rules before stay; said in the log
//
// A file is read only when it has stood still for a while, because half a file may be good YAML too, with fewer rules in it.
import type { Caller, Policy, PolicyTarget } from "../../core/caller.ts";
import { errorText, ServiceError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { PolicySettings } from "./config.ts";
import { type OperatorRule, readOperatorRules } from "./operator-rules.ts";
import { findPolicyFiles, readPolicyFile, signatureOf } from "./policy-files.ts";
import { buildRuleSet, type RuleSet } from "./rule-set.ts";

type Loaded = { readonly rules: RuleSet; readonly files: readonly string[]; readonly warnings: readonly string[] };

/** How often files are looked at; a change is in effect after twice as long at most. */
const checkMs = 2_000;

export class OperatorPolicy implements Policy {
  readonly #settings: PolicySettings;
  #loaded: Loaded;
  /** Of the files as they were last read, well or not. */
  #readSignature: string;
  #seenSignature: string;

  /** Throws config.invalid, naming file and line. */
  constructor(settings: PolicySettings) {
    this.#settings = settings;
    this.#readSignature = signatureNow(settings);
    this.#seenSignature = this.#readSignature;
    this.#loaded = load(settings);
  }

  get decidesOwnership(): boolean {
    return this.#loaded.rules.decidesOwnership;
  }

  /** What the operator should know about the rules in effect, a line each. */
  get warnings(): readonly string[] {
    return this.#loaded.warnings;
  }

  allows(rule: string, caller: Caller, target: PolicyTarget): boolean {
    return this.#loaded.rules.allows(rule, caller, target);
  }

  /** Whether there is a rule of this name, so that it is not the default rule which decides. */
  has(rule: string): boolean {
    return this.#loaded.rules.has(rule);
  }

  /** Looks at the files once; see the diagram above. Never throws: what is wrong with them is logged, and the rules stay. */
  check(logger: Logger): void {
    try {
      this.#check(logger);
    } catch (error) {
      logger.error({ error: errorText(error) }, "the policy changed and is wrong; the rules before it stay in effect");
    }
  }

  /** Looks every few seconds until the returned function is called. */
  watch(logger: Logger): () => void {
    const timer = setInterval(() => this.check(logger), checkMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  #check(logger: Logger): void {
    const signature = signatureNow(this.#settings);
    const settled = signature === this.#seenSignature;
    this.#seenSignature = signature;
    if (!settled || signature === this.#readSignature) return;
    // Whatever comes of it, the same files are not read again.
    this.#readSignature = signature;
    const loaded = load(this.#settings);
    const gone = this.#loaded.files.filter((file) => !loaded.files.includes(file));
    if (gone.length > 0) throw removed(gone);
    if (signatureNow(this.#settings) !== signature) {
      this.#readSignature = "changed while it was read";
      return;
    }
    this.#loaded = loaded;
    for (const warning of loaded.warnings) logger.warn(warning);
    logger.info({ files: loaded.files }, "the policy was read again");
  }
}

function signatureNow(settings: PolicySettings): string {
  return signatureOf(findPolicyFiles(settings));
}

function load(settings: PolicySettings): Loaded {
  const { files, missing } = findPolicyFiles(settings);
  const read = files.map((file) => readOperatorRules(readPolicyFile(file), file));
  const own: readonly OperatorRule[] | null = files.length > 0 ? read.flatMap(({ rules }) => rules) : null;
  const rules = buildRuleSet(settings, own);
  const json = files.filter((file) => file.endsWith(".json") && settings.traits.defaultsIn === "code");
  const warnings = [
    ...(missing === null ? [] : [`[oslo_policy] policy_file ${missing} does not exist: the release's own rules hold`]),
    ...json.map(
      (file) =>
        `${file}: rules in JSON are read, but since Ussuri are meant to be YAML (oslopolicy-convert-json-to-yaml)`,
    ),
    ...read.flatMap((one) => one.warnings),
    ...rules.warnings,
  ];
  return { rules, files, warnings };
}

/** Rules that disappear leave open what they closed; a file is most often missing because it is being replaced. */
function removed(files: readonly string[]): ServiceError {
  const message = `${files.join(", ")} is gone; write an empty file, or start again, if the release's own rules are to hold`;
  return new ServiceError("config.invalid", message, { facts: { file: files[0] ?? null } });
}
