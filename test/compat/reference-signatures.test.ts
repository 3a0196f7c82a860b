// Signatures of images beside the library by which the reference verifies them: what one of the two takes, the other takes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants, randomBytes, sign } from "node:crypto";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isServiceError } from "../../src/core/errors.ts";
import { signatureOf } from "../../src/images/signatures.ts";
import { beginWork } from "../../src/images/stream-work.ts";
import { keyManagerWith, keyTypes, makeSigner } from "../../src/images/testing/signing.ts";

const script = fileURLToPath(new URL("./reference-signatures.py", import.meta.url));

type Properties = Readonly<Record<string, string>>;
type Case = {
  readonly what: string;
  readonly certificate: Buffer;
  readonly properties: Properties;
  readonly data: Buffer;
};

async function ours({ certificate, properties, data }: Case): Promise<string> {
  try {
    const signature = await signatureOf({ keys: keyManagerWith(certificate) }, { id: "i", properties }, "owner's");
    assert(signature);
    const work = beginWork({ kind: "signature", signature });
    work.update(data);
    return work.end() === "valid" ? "right" : "wrong";
  } catch (error) {
    if (isServiceError(error, "images.invalid")) return "unverifiable";
    throw error;
  }
}

function theirs(cases: readonly Case[]): readonly string[] {
  const input = cases.map(({ certificate, properties, data }) => ({
    certificate: certificate.toString(),
    properties,
    data: data.toString("base64"),
  }));
  const output = execFileSync("/usr/bin/python3", [script], { input: JSON.stringify(input), encoding: "utf8" });
  return JSON.parse(output) as readonly string[];
}

function casesOf(keyType: (typeof keyTypes)[number]): readonly Case[] {
  const { certificate, privateKey, properties } = makeSigner(keyType);
  const data = randomBytes(10_000);
  const of = (what: string, changed: Properties = {}, taken = data): Case => ({
    what: `${keyType}: ${what}`,
    certificate,
    properties: { ...properties(data), ...changed },
    data: taken,
  });
  const withSalt = (saltLength: number): Properties => ({
    img_signature: sign("SHA256", data, {
      key: privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength,
    }).toString("base64"),
  });
  return [
    ...(["SHA-224", "SHA-256", "SHA-384", "SHA-512"] as const).map((hash) => of(hash, properties(data, hash))),
    of("other data", {}, randomBytes(10_000)),
    of("another hash", { img_signature_hash_method: "SHA-512" }),
    of("no hash that is known", { img_signature_hash_method: "MD5" }),
    of("no signature", { img_signature: "" }),
    of("not base64", { img_signature: "abc" }),
    of("line breaks in it", { img_signature: (properties(data).img_signature ?? "").replace(/(.{64})/g, "$1\n") }),
    of("nonsense", { img_signature: randomBytes(64).toString("base64") }),
    of("longer", { img_signature: randomBytes(2_000).toString("base64") }),
    ...keyTypes.map((other) => of(`said to be ${other}`, { img_signature_key_type: other })),
    of("another curve", { img_signature_key_type: "ECC_SECP521R1" }),
    ...(keyType === "RSA-PSS"
      ? [
          of("a salt as long as the hash", withSalt(constants.RSA_PSS_SALTLEN_DIGEST)),
          of("the longest salt", withSalt(constants.RSA_PSS_SALTLEN_MAX_SIGN)),
        ]
      : []),
  ];
}

test("reference: its library and we take the same signatures, and refuse the same", async () => {
  const cases = keyTypes.flatMap(casesOf);
  const expected = theirs(cases);
  const found = await Promise.all(cases.map(ours));
  const told = (answers: readonly string[]) => cases.map(({ what }, index) => `${what}: ${answers[index]}`);
  assert.deepEqual(told(found), told(expected));
  assert.deepEqual(new Set(expected), new Set(["right", "wrong", "unverifiable"]));
});
