// What may be computed of a stream that passes: a hash of it, or whether a signature is one of it. On the spot and in a thread alike.
import { constants, createHash, createPublicKey, createVerify } from "node:crypto";

/** A signature that somebody made over all of the data. It is sent to threads: plain values only. */
export type Signature = {
  /** Of the hash that was signed, OpenSSL's name. */
  readonly openSslName: string;
  /** PEM (SubjectPublicKeyInfo). */
  readonly publicKey: string;
  readonly bytes: Uint8Array;
  /** How long the salt of an RSA-PSS signature is; null: it is of another kind. */
  readonly pssSaltBytes: number | null;
};

export type StreamWork =
  | { readonly kind: "hash"; readonly openSslName: string }
  | { readonly kind: "signature"; readonly signature: Signature };

export type BegunWork = {
  update(bytes: Uint8Array): void;
  /** Once. A hash in hex; of a signature `valid` or `invalid`. */
  end(): string;
};

export const valid = "valid";

export function beginWork(work: StreamWork): BegunWork {
  if (work.kind === "hash") {
    const hash = createHash(work.openSslName);
    return { update: (bytes) => void hash.update(bytes), end: () => hash.digest("hex") };
  }
  const { openSslName, publicKey, bytes, pssSaltBytes } = work.signature;
  const verify = createVerify(openSslName);
  const key = createPublicKey(publicKey);
  const options =
    pssSaltBytes === null ? { key } : { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: pssSaltBytes };
  return {
    update: (piece) => void verify.update(piece),
    end: () => (verify.verify(options, bytes) ? valid : "invalid"),
  };
}
