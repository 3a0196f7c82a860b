// Images whose owner signed them: four properties say how and with whose certificate, which lies in the key manager. Data that is not what was signed is
// refused, and so is data of which nobody here can tell: taken unverified, it would look as if it had been verified.
import { type KeyObject, X509Certificate } from "node:crypto";
import { ServiceError } from "../core/errors.ts";
import type { Image } from "./image.ts";
import type { ImageServicesDeps } from "./services.ts";
import type { Signature } from "./stream-work.ts";

const names = {
  signature: "img_signature",
  hash: "img_signature_hash_method",
  keyType: "img_signature_key_type",
  certificate: "img_signature_certificate_uuid",
} as const;

/** By what `img_signature_hash_method` says: OpenSSL's name, and how long the hash is. */
const hashes = new Map([
  ["SHA-224", { openSslName: "sha224", bytes: 28 }],
  ["SHA-256", { openSslName: "sha256", bytes: 32 }],
  ["SHA-384", { openSslName: "sha384", bytes: 48 }],
  ["SHA-512", { openSslName: "sha512", bytes: 64 }],
]);

/** By what `img_signature_key_type` says: what the certificate's key has to be. The name of the curve is not compared, as in the reference. */
const keyTypes = new Map([
  ["RSA-PSS", "rsa"],
  ["DSA", "dsa"],
  ["ECC_SECT571K1", "ec"],
  ["ECC_SECT409K1", "ec"],
  ["ECC_SECT571R1", "ec"],
  ["ECC_SECT409R1", "ec"],
  ["ECC_SECP521R1", "ec"],
  ["ECC_SECP384R1", "ec"],
]);

/**
 * What data that is about to be taken has to have been signed with, by the image's properties; null where they ask for nothing, as an incomplete set
 * does. `token`: the caller's, with which the certificate is fetched. Throws images.invalid (also where no certificate can be had),
 * identity.unauthenticated, identity.unavailable.
 */
export async function signatureOf(
  { keys }: Pick<ImageServicesDeps, "keys">,
  { id, properties }: Pick<Image, "id" | "properties">,
  token: string | null,
): Promise<Signature | null> {
  if (!Object.values(names).every((name) => Object.hasOwn(properties, name))) return null;
  const unverifiable = (why: string) =>
    new ServiceError("images.invalid", `The signature of image ${id} cannot be verified: ${why}.`, {
      facts: { imageId: id },
    });
  const given = (name: string) => properties[name] ?? "";
  const bytes = decoded(given(names.signature));
  if (!bytes) throw unverifiable(`${names.signature} is not base64`);
  const hash = hashes.get(given(names.hash));
  if (!hash) throw unverifiable(`${names.hash} is none of ${[...hashes.keys()].join(", ")}`);
  const keyType = keyTypes.get(given(names.keyType));
  if (!keyType) throw unverifiable(`${names.keyType} is none of ${[...keyTypes.keys()].join(", ")}`);
  const secretId = given(names.certificate);
  const found = keys && token !== null ? await keys.readCertificate({ token, secretId }) : "absent";
  if (typeof found === "string") throw unverifiable(`${missing[found]} (${names.certificate})`);
  const key = publicKeyOf(found);
  if (!key) throw unverifiable(`what the key manager has is no X.509 certificate (${names.certificate})`);
  if (key.asymmetricKeyType !== keyType)
    throw unverifiable(`the certificate's key is ${key.asymmetricKeyType}, not ${keyType} (${names.keyType})`);
  const pssSaltBytes = keyType === "rsa" ? longestSalt(key, hash.bytes) : null;
  if (pssSaltBytes !== null && pssSaltBytes < 0)
    throw unverifiable(`the certificate's key is too short for ${names.hash}`);
  const publicKey = key.export({ type: "spki", format: "pem" }).toString();
  return { openSslName: hash.openSslName, publicKey, bytes, pssSaltBytes };
}

const missing = {
  unknown: "the key manager does not have the certificate",
  refused: "the key manager does not show you the certificate",
  absent: "there is no key manager here to fetch the certificate from",
  no_certificate: "what the key manager has is no certificate",
} as const;

/** Line breaks and blanks in it do not matter. */
function decoded(text: string): Buffer | null {
  const bare = text.replace(/\s/g, "");
  return /^([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$|^[A-Za-z0-9+/]{2,3}={1,2}$/.test(bare)
    ? Buffer.from(bare, "base64")
    : null;
}

function publicKeyOf(certificate: Buffer): KeyObject | null {
  try {
    return new X509Certificate(certificate).publicKey;
  } catch {
    return null;
  }
}

/** The salt of these signatures is as long as the key has room for: Python's `PSS.MAX_LENGTH`, which signers of images are told to use. */
function longestSalt(key: KeyObject, hashBytes: number): number {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return Math.ceil((bits - 1) / 8) - hashBytes - 2;
}
