// Owners who sign their images: a key, a certificate of it made by openssl, and the properties that name both.
import { execFileSync } from "node:child_process";
import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeyManager } from "../key-manager.ts";

export const keyTypes = ["RSA-PSS", "DSA", "ECC_SECP384R1", "ECC_SECT571K1"] as const;
export type KeyType = (typeof keyTypes)[number];
export type HashMethod = "SHA-224" | "SHA-256" | "SHA-384" | "SHA-512";

export const certificateId = "22222222-2222-4222-8222-222222222222";

export type Signer = {
  /** Both PEM. */
  readonly certificate: Buffer;
  readonly privateKey: Buffer;
  /** What an image of `data` says. */
  properties(data: Buffer, hash?: HashMethod): Readonly<Record<string, string>>;
};

const made = {
  "RSA-PSS": () => generateKeyPairSync("rsa", { modulusLength: 2_048 }),
  DSA: () => generateKeyPairSync("dsa", { modulusLength: 1_024, divisorLength: 160 }),
  ECC_SECP384R1: () => generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
  ECC_SECT571K1: () => generateKeyPairSync("ec", { namedCurve: "sect571k1" }),
} as const satisfies Record<KeyType, () => { readonly privateKey: KeyObject }>;

export function makeSigner(keyType: KeyType): Signer {
  const folder = mkdtempSync(join(tmpdir(), "perennial-signer-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  try {
    writeFileSync(key, made[keyType]().privateKey.export({ type: "pkcs8", format: "pem" }));
    const what = ["-new", "-key", key, "-out", certificate, "-days", "2", "-subj", "/CN=signer"];
    execFileSync("openssl", ["req", "-x509", ...what], { stdio: "pipe" });
    return signerOf(keyType, readFileSync(key), readFileSync(certificate));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function signerOf(keyType: KeyType, key: Buffer, certificate: Buffer): Signer {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN };
  return {
    certificate,
    privateKey: key,
    properties: (data, hash = "SHA-256") => ({
      img_signature: sign(hash.replace("-", ""), data, { key, ...(keyType === "RSA-PSS" ? pss : {}) }).toString(
        "base64",
      ),
      img_signature_hash_method: hash,
      img_signature_key_type: keyType,
      img_signature_certificate_uuid: certificateId,
    }),
  };
}

/** One that has the certificate and shows it by the token `owner's` alone. */
export function keyManagerWith(certificate: Buffer | "no_certificate" | "unknown"): KeyManager {
  return {
    removeSecret: async () => "unknown",
    async readCertificate({ token, secretId }) {
      if (token !== "owner's") return "refused";
      return secretId === certificateId ? certificate : "unknown";
    },
  };
}
