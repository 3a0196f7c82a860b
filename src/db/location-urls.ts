// How image_locations.value keeps a URL: as it is, or encrypted by the operator's key in the reference's form, so that its nodes and ours read each
// other's: the URL, a zero byte and random others up to a whole block, in AES-CBC, behind its IV, in the base64 of URLs.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { ServiceError } from "../core/errors.ts";

export type LocationUrls = {
  /** What the column holds; another each time. */
  encode(url: string): string;
  /**
   * The URL in a column. What was written before there was a key is read as it is; what cannot be read, because its key is another, becomes a URL
   * that lies in no store and tells rows apart (`isUnreadable`), so that one such row takes no list along.
   */
  decode(value: string, rowId: number): string;
};

const blockBytes = 16;
const ciphers: Readonly<Record<number, string>> = { 16: "aes-128-cbc", 24: "aes-192-cbc", 32: "aes-256-cbc" };
const unreadable = "unreadable:";
const isUrl = (text: string) => /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
/** At least an IV and a block. */
const isEncrypted = (text: string) => text.length >= 44 && text.length % 4 === 0 && /^[\w-]+={0,2}$/.test(text);

export const plainLocations: LocationUrls = {
  encode: (url) => url,
  decode: (value, rowId) => (isEncrypted(value) ? `${unreadable}${rowId}` : value),
};

/** `key`: metadata_encryption_key. Throws config.invalid. */
export function encryptedLocations(key: string): LocationUrls {
  const bytes = Buffer.from(key, "utf8");
  const cipher = ciphers[bytes.length];
  if (cipher === undefined)
    throw new ServiceError(
      "config.invalid",
      `[DEFAULT] metadata_encryption_key has ${bytes.length} bytes: give 16, 24 or 32 of them, the same on every node.`,
      { facts: { section: "DEFAULT", option: "metadata_encryption_key" } },
    );
  return {
    encode(url) {
      const iv = randomBytes(blockBytes);
      const encrypting = createCipheriv(cipher, bytes, iv).setAutoPadding(false);
      const data = Buffer.concat([iv, encrypting.update(padded(url)), encrypting.final()]);
      return data.toString("base64").replaceAll("+", "-").replaceAll("/", "_");
    },
    decode(value, rowId) {
      if (!isEncrypted(value)) return value;
      const data = Buffer.from(value, "base64url");
      if (data.length % blockBytes !== 0) return `${unreadable}${rowId}`;
      const decrypting = createDecipheriv(cipher, bytes, data.subarray(0, blockBytes)).setAutoPadding(false);
      const text = Buffer.concat([decrypting.update(data.subarray(blockBytes)), decrypting.final()]);
      const url = text.subarray(0, Math.max(0, text.lastIndexOf(0))).toString("utf8");
      return isUrl(url) && !url.includes("\ufffd") ? url : `${unreadable}${rowId}`;
    },
  };
}

/** A location whose URL this process cannot read. */
export function isUnreadable(url: string): boolean {
  return url.startsWith(unreadable);
}

function padded(url: string): Buffer {
  const text = Buffer.from(url, "utf8");
  const bytes = Buffer.alloc(blockBytes - (text.length % blockBytes));
  // Any but zero, which marks the end of the text.
  for (let at = 1; at < bytes.length; at++) bytes[at] = 1 + ((randomBytes(1)[0] ?? 0) % 255);
  return Buffer.concat([text, bytes]);
}
