// The key manager as images need it: keys of encrypted volumes go with their images, and certificates verify what owners signed.

/** As the caller, whose token it is. */
export type SecretQuestion = { readonly token: string; readonly secretId: string };

/** `unknown`: there is none of that id. `refused`: to this caller. `absent`: there is no key manager. */
export type NoSecret = "unknown" | "refused" | "absent";

/** Implemented by identity. */
export type KeyManager = {
  /** Throws identity.unauthenticated, identity.unavailable. */
  removeSecret(question: SecretQuestion): Promise<"removed" | NoSecret>;
  /** As it is stored, DER or PEM; `no_certificate`: the secret is of another kind. Throws as removeSecret. */
  readCertificate(question: SecretQuestion): Promise<Buffer | "no_certificate" | NoSecret>;
};
