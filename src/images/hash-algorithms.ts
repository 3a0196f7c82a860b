// The hashes that [DEFAULT] hashing_algorithm may name. Clients compute them with Python's hashlib, so these are its names; ours are OpenSSL's.

const openSslNames = {
  md5: "md5",
  sha1: "sha1",
  sha224: "sha224",
  sha256: "sha256",
  sha384: "sha384",
  sha512: "sha512",
  sha512_224: "sha512-224",
  sha512_256: "sha512-256",
  sha3_224: "sha3-224",
  sha3_256: "sha3-256",
  sha3_384: "sha3-384",
  sha3_512: "sha3-512",
  blake2b: "blake2b512",
  blake2s: "blake2s256",
} as const;

export type HashAlgorithm = keyof typeof openSslNames;

export const hashAlgorithms = Object.keys(openSslNames) as readonly HashAlgorithm[];

/** For `createHash`. */
export function openSslName(algorithm: HashAlgorithm): string {
  return openSslNames[algorithm];
}

const bitsElsewhere: Partial<Record<HashAlgorithm, number>> = { md5: 128, sha1: 160, blake2b: 512, blake2s: 256 };

/** How long a hash is. Others say it in their name. */
export function hexDigits(algorithm: HashAlgorithm): number {
  return (bitsElsewhere[algorithm] ?? Number(algorithm.slice(-3))) / 4;
}
